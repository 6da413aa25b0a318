#include "lens/cache/batch_cache.h"

#include <algorithm>
#include <bit>

namespace orrery::lens::cache {
namespace {

constexpr u64 kNoLine = ~u64{0};

/// Puts `moved` before the others of a set, up to where `line` was. Returns what fell out: `line`, or the
/// last. Without a branch that depends on where: it cannot be foreseen.
template <u32 kOthers>
u64 move_up(u64* others, u64 moved, u64 line) {
  u64 keeps = 0;  // all ones from where the line was
  for (u32 at = 0; at < kOthers; ++at) {
    const u64 here = others[at];
    others[at] = moved ^ ((moved ^ here) & keeps);
    moved = here ^ ((here ^ moved) & keeps);
    keeps |= u64{0} - static_cast<u64>(here == line);
  }
  return moved;
}

u64 move_up(u64* others, u32 count, u64 moved, u64 line) {
  if (count == 7) return move_up<7>(others, moved, line);
  if (count == 11) return move_up<11>(others, moved, line);
  for (u32 at = 0; at < count && moved != line; ++at) std::swap(others[at], moved);
  return moved;
}

}  // namespace

BatchCache::BatchCache(const CacheShape& shape) {
  if (shape.size_bytes == 0) return;
  const u64 sets = shape.size_bytes / shape.line_bytes / shape.ways;
  is_there_ = true;
  line_shift_ = static_cast<u32>(std::countr_zero(shape.line_bytes));
  mask_ = sets - 1;
  others_ = shape.ways - 1;
  last_.resize(sets);
  rest_.resize(sets * others_);
  forget();
}

void BatchCache::forget() {
  if (!is_there_) return;
  std::fill(last_.begin(), last_.end(), kNoLine);
  std::fill(rest_.begin(), rest_.end(), kNoLine);
}

Found BatchCache::touch_another(u64 line) {
  if (!is_there_) return Found::hit;
  const u64 set = line & mask_;
  const u64 fell_out = move_up(rest_.data() + set * others_, others_, last_[set], line);
  last_[set] = line;
  return fell_out == line ? Found::hit : fell_out == kNoLine ? Found::unknown : Found::miss;
}

void BatchCache::save(std::vector<u64>& sets) const {
  sets.clear();
  if (!is_there_) return;
  for (u64 set = 0; set <= mask_; ++set) {
    sets.push_back(last_[set]);
    const auto rest = rest_.begin() + static_cast<std::ptrdiff_t>(set * others_);
    sets.insert(sets.end(), rest, rest + others_);
  }
}

BatchBuffer::BatchBuffer(const CacheShape& shape) {
  if (shape.size_bytes == 0) {  // one page of all addresses, always at hand
    heads_[0].slot = 0;
    keys_.resize(1);
    return;
  }
  const u64 sets = shape.size_bytes / shape.line_bytes / shape.ways;
  is_there_ = true;
  line_shift_ = static_cast<u32>(std::countr_zero(shape.line_bytes));
  ways_ = shape.ways;
  mask_ = sets - 1;
  keys_.resize(sets * kWaysMost);
  pages_.resize(sets * kWaysMost);
  next_.resize(sets * kWaysMost);
  known_.resize(sets);
  forget();
}

void BatchBuffer::forget() {
  now_ = 0;
  if (!is_there_) return;
  heads_.fill({.page = kNoLine});
  std::fill(keys_.begin(), keys_.end(), kUnused);
  std::fill(known_.begin(), known_.end(), 0);
}

/// Has it at the head then.
bool BatchBuffer::is_in_chain(u64 page) {
  Head& head = heads_[page % kHeads];
  for (u32 before = head.slot; before != kNoSlot;) {
    const u32 slot = next_[before];
    if (slot == kNoSlot || pages_[slot] != page) {
      before = slot;
      continue;
    }
    next_[before] = next_[slot];
    next_[slot] = head.slot;
    head = {page, slot};
    return true;
  }
  return false;
}

void BatchBuffer::leave_chain(u32 slot) {
  Head& head = heads_[pages_[slot] % kHeads];
  if (head.slot == slot) {
    const u32 next = next_[slot];
    head = {next == kNoSlot ? kNoLine : pages_[next], next};
    return;
  }
  u32 before = head.slot;
  while (next_[before] != slot) before = next_[before];
  next_[before] = next_[slot];
}

/// The number in the set; slots that are not used are younger than all.
u32 BatchBuffer::oldest_of(u64 set) const {
  const i32* const keys = keys_.data() + set * kWaysMost;
  i32 oldest = kUnused;
  for (u32 way = 0; way < kWaysMost; ++way) oldest = std::min(oldest, keys[way]);
  return static_cast<u32>(oldest) % kWaysMost;
}

Found BatchBuffer::touch_another(u64 page) {
  if (!is_there_) return Found::hit;
  if (is_in_chain(page)) {
    use(page);
    return Found::hit;
  }
  const u64 set = page & mask_;
  const bool all_known = known_[set] == ways_;
  const u32 slot = static_cast<u32>(set * kWaysMost) + (all_known ? oldest_of(set) : known_[set]++);
  if (all_known) leave_chain(slot);
  Head& head = heads_[page % kHeads];
  pages_[slot] = page;
  next_[slot] = head.slot;
  head = {page, slot};
  use(page);
  return all_known ? Found::miss : Found::unknown;
}

/// Keys of a set, the last used first.
std::vector<i32> BatchBuffer::in_order(u64 set) const {
  const auto keys = keys_.begin() + static_cast<std::ptrdiff_t>(set * kWaysMost);
  std::vector<i32> sorted(keys, keys + known_[set]);
  std::sort(sorted.rbegin(), sorted.rend());
  return sorted;
}

/// From the beginning: of times only the order counts, within a set.
void BatchBuffer::renumber() {
  now_ = static_cast<i32>(kWaysMost * kWaysMost);
  for (u64 set = 0; set < known_.size(); ++set) {
    i32 time = now_;
    for (const i32 key : in_order(set)) {
      const i32 way = key % static_cast<i32>(kWaysMost);
      keys_[set * kWaysMost + static_cast<u64>(way)] = time | way;
      time -= static_cast<i32>(kWaysMost);
    }
  }
}

void BatchBuffer::save(std::vector<u64>& sets) const {
  sets.assign(known_.size() * ways_, kNoLine);
  for (u64 set = 0; set < known_.size(); ++set) {
    u64* at = sets.data() + set * ways_;
    for (const i32 key : in_order(set)) *at++ = pages_[set * kWaysMost + static_cast<u64>(key) % kWaysMost];
  }
}

}  // namespace orrery::lens::cache
