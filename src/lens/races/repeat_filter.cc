#include "lens/races/repeat_filter.h"

#include <algorithm>
#include <utility>

namespace orrery::lens::races {

using cpu::Gpr;
using translate::AccessHeader;
using translate::AccessPoint;
using translate::AccessRecord;

namespace {

/// Its accesses are all shown to the finder, and it ends an epoch: a function that is watched may begin in
/// it, or it is atomic.
bool is_hard(std::span<const PointRow> rows, std::span<const AccessPoint> points) {
  constexpr std::size_t kBits = 64;
  if (rows.size() > kBits + 1) return true;
  for (std::size_t at = 1; at < rows.size(); ++at) {
    const bool is_last = at + 1 == rows.size();
    const bool returns = at > 1 && rows[at - 1].kind == PointRow::Kind::simple && is_last &&
                         rows[at - 1].offset == rows[at].offset && points[at].end_reg == Gpr::rax;
    if (rows[at].kind == PointRow::Kind::value ? !returns : points[at].call && !is_last) return true;
    if ((rows[at].how & Slot::kAtomic) != 0) return true;
  }
  return false;
}

}  // namespace

void RepeatFilter::learn(std::span<const PointRow> rows, std::span<const AccessPoint> points) {
  const std::size_t first = rows_.size();
  rows_.resize(first + rows.size());
  Row& own = rows_[first];
  own.how = static_cast<u8>(rows[0].how | (is_hard(rows, points) ? kHard : 0));
  for (std::size_t at = 1; at < rows.size(); ++at) {
    const PointRow& row = rows[at];
    const AccessPoint& point = points[at];
    Row kept{.address = point.address, .word = row.word, .offset = row.offset};
    const bool is_value = row.kind == PointRow::Kind::value;
    if ((own.how & kHard) != 0) {
      if (!is_value || point.end_reg != Gpr::rsp) continue;
      kept.word = point.word;
      kept.how = kWord;
    } else if (is_value) {
      own.how |= kReturns;
      continue;
    } else if (row.kind == PointRow::Kind::repeated) {
      continue;
    } else {
      const bool is_odd = row.kind == PointRow::Kind::odd && !point.call;
      own.how |= point.call ? kCalls : u8{0};
      kept.size_bytes = static_cast<u8>(point.size_bytes);
      kept.index = static_cast<u8>(at - 1);
      kept.how = static_cast<u8>((row.has_word ? kWord : 0) | ((row.how & Slot::kWrites) != 0 ? kWrites : 0) |
                                 (is_odd ? kOdd : 0));
    }
    rows_[first + ++own.word] = kept;
  }
}

void RepeatFilter::begin(i32 task, u64 ticks) {
  own_open_ = &open_[task];
  ticks_ = ticks;
}

void RepeatFilter::read(std::span<const u64> records) {
  records_ = records;
  knows_string_ = false;
  begin_epoch();
  const u64* const past = records.data() + records.size();
  for (const u64* at = records.data(); at < past;) {
    const AccessHeader header{*at};
    if (header.record() == AccessRecord::block) [[likely]]
      block(header, at + 1);
    else
      other_record(header, at + 1);
    at += 1 + header.words();
  }
  put_record(past + 1, true);
  items_.show();
}

void RepeatFilter::begin_epoch() {
  ++epoch_;
  if (epoch_ % (u64{1} << kEpochBits) == 0) std::fill(recent_.begin(), recent_.end(), Recent{});
  is_begun_ = false;
  lowest_ = kNowhere;
  for (const u64 slot : *own_open_) lowest_ = std::min(lowest_, slot);
}

/// `words`: behind the record's header.
template <bool kByLibrary>
inline void RepeatFilter::put_row(const u64* words, const Row& row, u64 address) {
  const Item::Kind kind = kByLibrary ? Item::Kind::inside : Item::Kind::access;
  items_.put({.address = address,
              .at = offset_of(words),
              .row = row.index + 1u,
              .ticks = static_cast<u32>(ticks_),
              .kind = (row.how & kOdd) != 0 ? Item::Kind::odd : kind,
              .size_bytes = row.size_bytes,
              .how = static_cast<u8>(row.how & kWrites)});
}

void RepeatFilter::put_state() {
  items_.put(
      {.at = call_ == nullptr ? Item::kNoRecord : offset_of(call_),
       .row = depth_,
       .ticks = static_cast<u32>(call_ == nullptr ? ticks_ : call_ticks_),
       .kind = Item::Kind::state,
       .how = static_cast<u8>((in_library_ ? Item::kInLibrary : 0) | (in_string_ ? Item::kInString : 0) |
                              (knows_string_ ? Item::kKnowsString : 0))});
  call_ = nullptr;
  depth_ = 0;
  is_told_ = true;
}

/// All of it, or the end of the batch.
void RepeatFilter::put_record(const u64* words, bool ends) {
  if (!is_told_) put_state();
  const u32 at = offset_of(words);
  items_.put({.at = at,
              .ticks = static_cast<u32>(ticks_),
              .kind = at == records_.size() ? Item::Kind::end : Item::Kind::record,
              .ends = ends});
}

void RepeatFilter::other_record(AccessHeader header, const u64* words) {
  switch (header.record()) {
    case AccessRecord::turn:
      put_record(words, true);
      ticks_ = words[1];
      own_open_ = &open_[header.task()];
      knows_string_ = false;
      return begin_epoch();
    case AccessRecord::engine:
      return put_record(words, false);
    case AccessRecord::take_back:
      ticks_ -= header.tick() ? 1 : 0;
      return;
    default:
      return;
  }
}

inline bool RepeatFilter::is_new(const Row& row, u64 address) {
  constexpr u64 kBytes = 64;
  const u64 from = address % kBytes, group = address / kBytes;
  if ((row.how & kOdd) != 0 || from + row.size_bytes > kBytes || address >> kAddressBits != 0) [[unlikely]]
    return true;
  const u64 bytes = ~u64{0} >> (kBytes - row.size_bytes) << from;
  const bool writes = (row.how & kWrites) != 0;
  Recent& recent = recent_[(group ^ group >> kRecentBits) % (u64{1} << kRecentBits)];
  const u64 key = group << kEpochBits | epoch_ % (u64{1} << kEpochBits);
  if (recent.key != key) {
    recent = {key, bytes, writes ? bytes : 0};
    return true;
  }
  if (((writes ? recent.written : recent.seen) & bytes) == bytes) return false;
  recent.seen |= bytes;
  if (writes) recent.written |= bytes;
  return true;
}

inline void RepeatFilter::block(AccessHeader header, const u64* words) {
  Row* const own = &rows_[header.point()];
  const u32 guest_bytes = header.guest_bytes();
  if ((own->how & kHard) != 0 || may_return(*own, words, guest_bytes))
    return whole_block(header, words, *own);
  if ((own->how & PointRow::kLibrary) != 0) {
    if (!knows_string_) return whole_block(header, words, *own);
    library_block(own, words, guest_bytes);
  } else {
    if (!is_begun_)
      items_.put({.at = offset_of(words), .ticks = static_cast<u32>(ticks_), .kind = Item::Kind::block});
    is_begun_ = knows_string_ = true;
    is_told_ = in_library_ = false;
    in_string_ = (own->how & PointRow::kStub) != 0;
    const Row* const past = rows<false>(own, words, guest_bytes);
    if ((own->how & kCalls) != 0 && past == own + 1 + own->word) {
      call_ = words;
      call_ticks_ = ticks_;
      depth_ = 0;
    }
  }
  ticks_ += header.tick() ? 1 : 0;
}

void RepeatFilter::library_block(Row* own, const u64* words, u32 guest_bytes) {
  in_library_ = true;
  if (in_string_ && (own->how & PointRow::kLoader) == 0) rows<true>(own, words, guest_bytes);
  is_told_ = false;
  if ((own->how & (kCalls | kReturns)) == 0 || own[own->word].offset >= guest_bytes) return;
  depth_ += (own->how & kCalls) != 0 ? 1u : ~0u;
}

template <bool kByLibrary>
inline const RepeatFilter::Row* RepeatFilter::rows(Row* own, const u64* words, u32 guest_bytes) {
  if (own->latest != epoch_) {
    own->latest = epoch_;
    for (Row* row = own + 1; row <= own + own->word; ++row) row->latest = kNowhere;
  }
  // Calls of the library do not count.
  Row* const past = own + 1 + own->word - (kByLibrary && (own->how & kCalls) != 0 ? 1 : 0);
  Row* row = own + 1;
  for (; row < past && row->offset < guest_bytes; ++row) {
    const u64 address = row->address_at(words);
    if (row->latest == address && (row->how & kOdd) == 0) continue;
    row->latest = address;
    // Of an allocator's own accesses those for strings alone count.
    const bool may_be_uncounted = kByLibrary && lowest_ != kNowhere;
    if (!is_new(*row, address) && !may_be_uncounted) continue;
    if (kByLibrary && call_ != nullptr) put_state();
    put_row<kByLibrary>(words, *row, address);
  }
  return row;
}

/// Whether the finder may be in the function, or has to forget that it was in others.
inline bool RepeatFilter::may_return(const Row& own, const u64* words, u32 guest_bytes) const {
  const Row& last = *(&own + own.word);
  return (own.how & kReturns) != 0 && last.offset < guest_bytes && last.address_at(words) >= lowest_;
}

void RepeatFilter::forget_open(u64 slot) {
  while (!own_open_->empty() && own_open_->back() < slot) own_open_->pop_back();
  if (!own_open_->empty() && own_open_->back() == slot) own_open_->pop_back();
}

void RepeatFilter::whole_block(AccessHeader header, const u64* words, const Row& own) {
  const u32 guest_bytes = header.guest_bytes();
  const bool is_hard = (own.how & kHard) != 0;
  if (is_hard) {
    for (const Row* row = &own + 1; row <= &own + own.word; ++row)
      if (row->offset < guest_bytes) own_open_->push_back(words[row->word]);
  }
  const bool returns = !is_hard && may_return(own, words, guest_bytes);
  if (returns) forget_open((&own + own.word)->address_at(words));
  put_record(words, is_hard || returns);
  in_library_ = (own.how & PointRow::kLibrary) != 0;
  if (!in_library_) {
    in_string_ = (own.how & PointRow::kStub) != 0;
    knows_string_ = true;
  }
  ticks_ += header.tick() ? 1 : 0;
  if (is_hard || returns) begin_epoch();
}

}  // namespace orrery::lens::races
