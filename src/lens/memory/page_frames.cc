#include "lens/memory/page_frames.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/hash.h"

namespace orrery::lens::memory {
namespace {

constexpr const char* kFile = "file";
constexpr const char* kShared = "shared";
constexpr const char* kAnonymous = "anonymous";

bool is_shared(const elf::MappedRegion& region) { return (region.flags & MAP_SHARED) != 0; }
bool has_file(const elf::MappedRegion& region) { return region.path.starts_with("/"); }

/// The page is there from now on, and nobody has touched it yet.
void begin_again(FrameRow& row, const char* came, const Instant& now) {
  row.came = came;
  row.from_frame.reset();
  row.begin_event = now.event;
  row.begin_ticks = now.ticks;
  row.begin_instructions = now.instructions;
  row.begin_ns = now.time_ns;
  row.task = now.task;
  row.pc = 0;
  row.function.reset();
  row.line.reset();
}

}  // namespace

u64 PageFrames::frame_of(const elf::MappedRegion& region, u64 page) {
  constexpr u64 kNobody = ~u64{0};
  const u64 maker =
      has_file(region) ? kNobody : shared_makers_.try_emplace(region.object, process_).first->second;
  const u64 parts[] = {maker, region.object, region.offset + (page - region.start)};
  // Above all numbers of new_frame(), and positive in SQL.
  constexpr u64 kBit = u64{1} << 62;
  return (xxh64({reinterpret_cast<const u8*>(parts), sizeof parts}) & (kBit - 1)) | kBit;
}

FrameRow PageFrames::row_of(const FrameTouch& touch) const {
  return {.process = process_,
          .program = program_,
          .page = touch.page,
          .meaning = touch.meaning,
          .object = touch.object,
          .begin_event = touch.event,
          .begin_ticks = touch.ticks,
          .begin_instructions = touch.instructions,
          .begin_ns = touch.time_ns,
          .task = touch.task,
          .pc = touch.pc};
}

bool PageFrames::touch(const FrameTouch& touch) {
  if (borrows_memory_ || touch.region == nullptr || touch.region->path == "[vdso]") return false;
  const auto known = pages_.find(touch.page);
  if (known != pages_.end()) return touch.writes && write(known->second, touch);
  begin(touch);
  const auto begun = pages_.find(touch.page);
  return begun != pages_.end() && begun->second.row.from_frame.has_value();
}

/// mm/memory.c, do_fault and do_anonymous_page: memory without a file that is only read shows the one page of
/// zeros, which is nobody's.
void PageFrames::begin(const FrameTouch& touch) {
  const elf::MappedRegion& region = *touch.region;
  Shown shown{.row = row_of(touch), .is_shared = is_shared(region)};
  FrameRow& row = shown.row;
  if (shown.is_shared || has_file(region)) {
    row.kind = has_file(region) ? kFile : kShared;
    row.came = "touched";
    row.frame = frame_of(region, touch.page);
  } else {
    if (!touch.writes) return;
    row.kind = kAnonymous;
    row.came = "zero-filled";
    row.frame = new_frame();
  }
  Shown& kept = pages_[touch.page] = std::move(shown);
  if (touch.writes && kept.row.kind != kAnonymous) write(kept, touch);
}

/// Whether it made a copy (mm/memory.c, do_cow_fault and do_wp_page).
bool PageFrames::write(Shown& shown, const FrameTouch& touch) {
  FrameRow& row = shown.row;
  if (shown.is_shared) {
    if (row.written_event) return false;
    row.written_event = touch.event;
    row.written_ticks = touch.ticks;
    row.written_ns = touch.time_ns;
    return false;
  }
  if (row.kind == kAnonymous && !shown.is_lent) return false;
  FrameRow copy = row_of(touch);
  copy.meaning = row.meaning;
  copy.object = row.object;
  copy.kind = kAnonymous;
  copy.came = "copied";
  copy.from_frame = row.frame;
  copy.frame = new_frame();
  const bool was_there = row.begin_event != touch.event || row.begin_ticks != touch.ticks ||
                         row.begin_instructions != touch.instructions;
  if (was_there) write_out(shown, touch.event, touch.ticks, touch.time_ns);
  shown = {.row = std::move(copy)};
  return true;
}

void PageFrames::name_copier(u64 page, std::optional<std::string> function, std::optional<std::string> line) {
  const auto found = pages_.find(page);
  if (found == pages_.end()) return;
  found->second.row.function = std::move(function);
  found->second.row.line = std::move(line);
}

void PageFrames::write_out(Shown& shown, u64 event, u64 ticks, u64 time_ns) {
  FrameRow& row = shown.row;
  row.end_event = event;
  row.end_ticks = ticks;
  row.end_ns = std::max(time_ns, row.begin_ns);
  rows_.add(kFrame, row);
}

void PageFrames::forget(u64 start, u64 end, const Instant& now) {
  const auto first = pages_.lower_bound(start);
  auto each = first;
  for (; each != pages_.end() && each->first < end; ++each)
    write_out(each->second, now.event, now.ticks, now.time_ns);
  pages_.erase(first, each);
}

void PageFrames::move(u64 from, u64 from_bytes, u64 to, u64 to_bytes, const Instant& now) {
  std::vector<Shown> moved;
  for (auto each = pages_.lower_bound(from); each != pages_.end() && each->first < from + from_bytes; ++each)
    if (each->first - from < to_bytes) moved.push_back(each->second);
  forget(from, from + from_bytes, now);
  forget(to, to + to_bytes, now);
  for (Shown& shown : moved) {
    FrameRow& row = shown.row;
    row.page = to + (row.page - from);
    begin_again(row, "moved", now);
    pages_[row.page] = std::move(shown);
  }
}

void PageFrames::wipe_in_children(u64 start, u64 end, bool wipes) {
  const auto cut = [this](u64 at) {
    const auto above = wiped_.lower_bound(at);
    if (above == wiped_.begin()) return;
    const auto range = std::prev(above);
    if (range->second <= at) return;
    wiped_[at] = range->second;
    range->second = at;
  };
  cut(start);
  cut(end);
  wiped_.erase(wiped_.lower_bound(start), wiped_.lower_bound(end));
  if (wipes) wiped_[start] = end;
}

bool PageFrames::is_wiped(u64 page) const {
  const auto above = wiped_.upper_bound(page);
  return above != wiped_.begin() && page < std::prev(above)->second;
}

/// The page tables are copied of private memory that was ever written (mm/memory.c, vma_needs_copy); of the
/// rest the child finds its pages by itself when it touches them.
PageFrames::Inheritance PageFrames::lend(const std::vector<elf::MappedRegion>& regions) {
  Inheritance given{.shared_makers = shared_makers_, .borrows_memory = borrows_memory_};
  for (const elf::MappedRegion& region : regions) {
    if (is_shared(region)) continue;
    const auto first = pages_.lower_bound(region.start), end = pages_.lower_bound(region.end);
    const bool was_written =
        std::any_of(first, end, [](const auto& each) { return each.second.row.kind == kAnonymous; });
    if (!was_written) continue;
    for (auto each = first; each != end; ++each) {
      if (is_wiped(each->first)) continue;
      each->second.is_lent = true;
      given.pages.push_back(each->second.row);
    }
  }
  return given;
}

void PageFrames::inherit(const Inheritance& from, const std::vector<elf::MappedRegion>& regions,
                         const Instant& now) {
  shared_makers_ = from.shared_makers;
  borrows_memory_ = from.borrows_memory;
  auto region = regions.begin();
  for (const FrameRow& parents : from.pages) {
    // Both in order of addresses; what is not there was not to be inherited (MADV_DONTFORK).
    while (region != regions.end() && region->end <= parents.page) ++region;
    if (region == regions.end()) break;
    if (parents.page < region->start) continue;
    FrameRow row = parents;
    row.process = process_;
    row.program = program_;
    begin_again(row, "forked", now);
    row.begin_ns = from.time_ns;
    pages_[row.page] = {.row = std::move(row), .is_lent = true};
  }
}

void PageFrames::finish(const Instant& now, bool to_end) {
  for (auto& [page, shown] : pages_) {
    shown.row.to_end = to_end;
    write_out(shown, now.event, now.ticks, now.time_ns);
  }
  pages_.clear();
  wiped_.clear();
  shared_makers_.clear();
  borrows_memory_ = false;
  ++program_;
}

}  // namespace orrery::lens::memory
