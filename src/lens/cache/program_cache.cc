#include "lens/cache/program_cache.h"

#include "lens/known.h"
#include "lens/profile/instruction_counts.h"

namespace orrery::lens::cache {
CacheRow row_of(const CacheShapes& shapes) {
  return {.i1 = words_of(shapes.i1),
          .d1 = words_of(shapes.d1),
          .l2 = words_of(shapes.l2),
          .ll = words_of(shapes.ll),
          .itlb = words_of(shapes.itlb),
          .dtlb = words_of(shapes.dtlb),
          .shapes = origins_of(shapes)};
}

void CacheRows::set_program(u32 process, u32 program) {
  caches.process = process, caches.program = program;
  for (CacheLineRow& row : lines) row.process = process, row.program = program;
}

void ProgramCache::read(std::span<const u64> records, std::span<const translate::AccessPoint> points) {
  counter_.read(records, points);
  for (; expected_ < points.size(); expected_ += 1 + points[expected_].points)
    files_.expect(points[expected_].pc);
}

Status ProgramCache::look_at_files(ReplaySession& session) {
  files_.look(session);
  return Nothing{};
}

Status ProgramCache::before_unmapping(ReplaySession& session, u64 start, u64 end) {
  if (!files_.overlap(start, end)) return Nothing{};
  TRY(finish(session));
  files_.forget(start, end);
  return Nothing{};
}

ProgramCache::Counts& ProgramCache::counts_at(ReplaySession& session, u64 pc) {
  const profile::CodePlace place = files_.find(session, pc);
  return lines_[{place.function, place.file != nullptr ? *place.file : "", place.line}];
}

/// What was counted since the last time, while the code is still mapped.
Status ProgramCache::finish(ReplaySession& session) {
  counter_.settle();
  for (const auto& [pc, count] : profile::instruction_counts(session, counter_.take_stretches()))
    counts_at(session, pc).fetches.references += static_cast<u64>(count.executions);
  for (const DataCount& data : counter_.take_data()) {
    Counts& counts = counts_at(session, data.pc);
    (data.writes ? counts.writes : counts.reads).add(data.counts);
  }
  for (const FetchCount& fetch : counter_.take_fetches())
    counts_at(session, fetch.pc).fetches.add(fetch.counts);
  return Nothing{};
}

CacheRows ProgramCache::rows() const {
  CacheRows rows;
  rows.caches = row_of(shapes_);
  for (const auto& [key, counts] : lines_) {
    const profile::Function& function = files_.functions()[key.function];
    rows.lines.push_back({.function = known(function.name),
                          .object = known(function.object),
                          .file = known(key.file),
                          .line = known(key.line),
                          .instructions = counts.fetches.references,
                          .i1_misses = counts.fetches.first,
                          .i2_misses = counts.fetches.second,
                          .ill_misses = counts.fetches.last,
                          .itlb_misses = counts.fetches.buffer,
                          .reads = counts.reads.references,
                          .d1_read_misses = counts.reads.first,
                          .d2_read_misses = counts.reads.second,
                          .dll_read_misses = counts.reads.last,
                          .dtlb_read_misses = counts.reads.buffer,
                          .writes = counts.writes.references,
                          .d1_write_misses = counts.writes.first,
                          .d2_write_misses = counts.writes.second,
                          .dll_write_misses = counts.writes.last,
                          .dtlb_write_misses = counts.writes.buffer});
  }
  return rows;
}

}  // namespace orrery::lens::cache
