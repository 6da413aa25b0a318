#include "lens/cache/cache_counter.h"

#include <algorithm>

namespace orrery::lens::cache {

using translate::Access;
using translate::AccessBy;
using translate::AccessHeader;
using translate::AccessKind;
using translate::AccessPoint;
using translate::AccessRecord;
using translate::StretchCount;

void CacheCounter::read(std::span<const u64> records, std::span<const AccessPoint> points) {
  if (points_.size() < points.size()) {
    points_.insert(points_.end(), points.begin() + static_cast<std::ptrdiff_t>(points_.size()), points.end());
    data_.resize(points.size());
    runs_.resize(points.size());
  }
  const u64* const end = records.data() + records.size();
  for (const u64* at = records.data(); at < end;) {
    const AccessHeader header{*at};
    if (header.record() == AccessRecord::block)
      block(header, at + 1);
    else if (header.record() == AccessRecord::engine)
      engine(header, at + 1);
    at += 1 + header.words();
  }
}

void CacheCounter::block(AccessHeader header, const u64* words) {
  const AccessPoint* const own = points_.data() + header.point();
  if (header.guest_bytes() == 0) return;
  count_run(header.point(), own->pc, header);
  const u64 bytes = model_.instruction_line_bytes();
  const u64 past = own->pc + header.guest_bytes();
  u64 line = own->pc & ~(bytes - 1);
  fetch(line, own->pc);
  const AccessPoint* const last = own + own->points;
  for (const AccessPoint* point = own + 1; point <= last && point->pc < past; ++point) {
    for (; line + bytes <= point->pc; line += bytes) fetch(line + bytes, line + bytes);
    const bool simple =
        point->base_word == translate::kNoWord && point->end_word == translate::kNoWord && !point->narrow;
    const u64 address = point->address + (point->word == translate::kNoWord ? 0 : words[point->word]);
    if (simple && model_.is_repeated_data(address, point->size_bytes)) continue;
    const std::size_t number = static_cast<std::size_t>(point - points_.data());
    if (simple)
      add_misses(number, address, point->size_bytes);
    else
      odd(number, *point, words);
  }
  for (; line + bytes < past; line += bytes) fetch(line + bytes, line + bytes);
}

void CacheCounter::add_misses(std::size_t point, u64 address, u64 size_bytes) {
  const Misses misses = model_.data(address, size_bytes);
  if (misses != 0) data_[point].add(misses);
}

/// An access whose address or size takes more words.
void CacheCounter::odd(std::size_t point, const AccessPoint& at, const u64* words) {
  const Access made = translate::access_at(at, words);
  if (at.end_word != translate::kNoWord)
    repeated(data_[point], made, std::max<u64>(1, at.size_bytes));
  else if (!model_.is_repeated_data(made.address, made.size_bytes))
    add_misses(point, made.address, made.size_bytes);
}

void CacheCounter::count_run(u32 block, u64 pc, AccessHeader header) {
  Runs& runs = runs_[block];
  runs.pc = pc;
  for (Runs::Left& left : runs.left) {
    if (left.count != 0 && left.guest_bytes != header.guest_bytes()) continue;
    left.guest_bytes = header.guest_bytes();
    left.instructions = header.instructions();
    ++left.count;
    return;
  }
  MoreRuns& runs_there = more_runs_[u64{block} << 12 | header.guest_bytes()];
  runs_there.block = block;
  StretchCount& more = runs_there.run;
  more.pc = pc;
  more.guest_bytes = static_cast<u16>(header.guest_bytes());
  more.instructions = static_cast<u16>(header.instructions());
  ++more.count;
}

void CacheCounter::fetch(u64 line, u64 pc) {
  if (line == fetched_) return;
  fetched_ = line;
  const Misses misses = model_.instructions(line);
  if (misses != 0) fetches_[pc].add(misses);
}

/// By the engine in the program's place: of the kernel, or of an instruction.
void CacheCounter::engine(AccessHeader header, const u64* words) {
  if (header.by() == AccessBy::kernel || words[1] == 0) return;
  PointCounts& counts = others_[words[2] << 1 | (header.kind() == AccessKind::write ? 1 : 0)];
  counts.pc = words[2];
  counts.writes = header.kind() == AccessKind::write;
  ++counts.counts.references;
  counts.counts.add(model_.data(words[0], words[1]));
}

/// Of a repeated string instruction: a reference for each element, a miss for each line at most.
void CacheCounter::repeated(LevelCounts& counts, const Access& access, u64 element_bytes) {
  counts.references += access.size_bytes / element_bytes;
  const u64 end = access.address + access.size_bytes, line_bytes = model_.data_line_bytes();
  for (u64 at = access.address; at < end;) {
    const u64 next = std::min(end, (at & ~(line_bytes - 1)) + line_bytes);
    counts.add(model_.data(at, next - at));
    at = next;
  }
}

/// Of the points that are met once whenever their block is executed so far.
void CacheCounter::add_references() {
  for (std::size_t block = 0; block < runs_.size(); ++block) {
    for (const Runs::Left& left : runs_[block].left) {
      if (left.count == 0) continue;
      const u64 past = points_[block].pc + left.guest_bytes;
      for (std::size_t at = block + 1; at <= block + points_[block].points && points_[at].pc < past; ++at)
        if (points_[at].end_word == translate::kNoWord) data_[at].references += static_cast<u64>(left.count);
    }
  }
  more_runs_.for_each([&](u64, const MoreRuns& more) {
    const u64 past = more.run.pc + more.run.guest_bytes;
    for (std::size_t at = more.block + 1;
         at <= more.block + points_[more.block].points && points_[at].pc < past; ++at)
      if (points_[at].end_word == translate::kNoWord)
        data_[at].references += static_cast<u64>(more.run.count);
  });
}

std::vector<DataCount> CacheCounter::take_data() {
  std::vector<DataCount> taken;
  add_references();
  for (std::size_t point = 0; point < data_.size(); ++point) {
    if (data_[point].references == 0) continue;
    taken.push_back({points_[point].pc, points_[point].kind == AccessKind::write, data_[point]});
    data_[point] = {};
  }
  others_.for_each([&](u64, const PointCounts& counts) {
    taken.push_back({counts.pc, counts.writes, counts.counts});
  });
  others_.clear();
  return taken;
}

std::vector<FetchCount> CacheCounter::take_fetches() {
  std::vector<FetchCount> taken;
  fetches_.for_each([&](u64 pc, const LevelCounts& counts) { taken.push_back({pc, counts}); });
  fetches_.clear();
  return taken;
}

std::vector<StretchCount> CacheCounter::take_stretches() {
  std::vector<StretchCount> taken;
  for (Runs& runs : runs_) {
    for (Runs::Left& left : runs.left) {
      if (left.count != 0)
        taken.push_back({.pc = runs.pc,
                         .count = left.count,
                         .guest_bytes = static_cast<u16>(left.guest_bytes),
                         .instructions = static_cast<u16>(left.instructions)});
      left.count = 0;
    }
  }
  more_runs_.for_each([&](u64, const MoreRuns& more) { taken.push_back(more.run); });
  more_runs_.clear();
  return taken;
}

}  // namespace orrery::lens::cache
