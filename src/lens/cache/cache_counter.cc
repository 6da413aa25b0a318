#include "lens/cache/cache_counter.h"

#include <algorithm>

namespace orrery::lens::cache {

using translate::AccessKind;
using translate::AccessPoint;
using translate::StretchCount;

namespace {

/// A batch is worth handing over from so many words on.
constexpr std::size_t kBatchWords = 1 << 17;
constexpr std::size_t kPointsFirst = 1 << 14;

/// One processor is the engine's, and the model is soon done.
std::size_t decoders_here(std::size_t most) {
  constexpr std::size_t kOthers = 1;
  const std::size_t processors = std::thread::hardware_concurrency();
  return processors <= kOthers + 1 ? 1 : std::min(most, processors - kOthers);
}

}  // namespace

void CacheCounter::Slot::wait_for(Stage wanted) const {
  for (Stage now; (now = stage.load(std::memory_order_acquire)) != wanted && now != Stage::ended;)
    stage.wait(now, std::memory_order_acquire);
}

void CacheCounter::Slot::move_to(Stage next) {
  stage.store(next, std::memory_order_release);
  stage.notify_all();
}

CacheCounter::CacheCounter(const CacheShapes& shapes) : model_(shapes) {
  for (std::size_t left = decoders_here(kDecodersMost); left != 0; --left)
    decoders_.push_back(std::make_unique<BatchDecoder>(shapes, points_));
}

CacheCounter::~CacheCounter() {
  if (threads_.empty()) return;
  settle();
  for (Slot& slot : slots_) slot.move_to(Stage::ended);
  for (std::thread& thread : threads_) thread.join();
}

void CacheCounter::read(std::span<const u64> records, std::span<const AccessPoint> points) {
  learn(points);
  std::vector<u64>& filled = slots_[handed_over_ % kSlots].batch.records;
  filled.insert(filled.end(), records.begin(), records.end());
  if (filled.size() < kBatchWords) return;
  if (threads_.empty()) begin_threads();
  hand_over();
}

/// Those that are new. Decoders read the others meanwhile, so none of them moves.
void CacheCounter::learn(std::span<const AccessPoint> points) {
  if (points_.size() == points.size()) return;
  if (data_.size() < points.size()) {
    settle();
    const std::size_t room = std::max({kPointsFirst, points.size(), 2 * data_.size()});
    points_.reserve(room);
    data_.resize(room);
    for (const auto& decoder : decoders_) decoder->reserve(room);
  }
  points_.add(points.subspan(points_.size()));
}

// --- threads ---

void CacheCounter::begin_threads() {
  for (std::size_t first = 0; first < decoders_.size(); ++first)
    threads_.emplace_back([this, first] { decode_every(first); });
  threads_.emplace_back([this] { count_all(); });
}

/// What is filled, and has the next one to fill.
void CacheCounter::hand_over() {
  slots_[handed_over_++ % kSlots].move_to(Stage::filled);
  Slot& next = slots_[handed_over_ % kSlots];
  next.wait_for(Stage::empty);
  next.batch.records.clear();
}

void CacheCounter::decode_every(std::size_t first) {
  for (u64 number = first;; number += decoders_.size()) {
    Slot& slot = slots_[number % kSlots];
    slot.wait_for(Stage::filled);
    if (slot.stage.load(std::memory_order_relaxed) == Stage::ended) return;
    decoders_[first]->decode(slot.batch);
    slot.move_to(Stage::decoded);
  }
}

void CacheCounter::count_all() {
  for (u64 number = 0;; ++number) {
    Slot& slot = slots_[number % kSlots];
    slot.wait_for(Stage::decoded);
    if (slot.stage.load(std::memory_order_relaxed) == Stage::ended) return;
    count(slot.batch);
    slot.move_to(Stage::empty);
  }
}

void CacheCounter::settle() {
  AccessBatch& last = slots_[handed_over_ % kSlots].batch;
  for (const Slot& slot : slots_) slot.wait_for(Stage::empty);
  decoders_[0]->decode(last);
  count(last);
  last.records.clear();
}

// --- the model ---

void CacheCounter::count(const AccessBatch& batch) {
  for (const translate::Access& each : batch.by_engine) ++engine_counts(each).references;
  count_lines(batch);
  count_pages(batch);
  model_.i1().settle(batch.i1), model_.d1().settle(batch.d1);
  model_.itlb().settle(batch.itlb), model_.dtlb().settle(batch.dtlb);
}

void CacheCounter::count_lines(const AccessBatch& batch) {
  constexpr std::size_t kAhead = 24;
  const std::span<const Shown> lines = batch.lines;
  for (std::size_t at = 0; at < std::min(kAhead, lines.size()); ++at) model_.prefetch(lines[at].address);
  Misses misses = 0;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    if (at + kAhead < lines.size()) model_.prefetch(lines[at + kAhead].address);
    const Shown& each = lines[at];
    Cache& first = each.use == Use::fetch ? model_.i1() : model_.d1();
    if (!each.is_unknown || first.misses(each.address >> first.line_shift()))
      misses |= model_.behind_first(each.address);
    if (each.goes_on) continue;
    if (each.is_counted) misses &= ~kMissesFirst;
    if (misses != 0) counts_of(each, batch).add(misses);
    misses = 0;
  }
}

void CacheCounter::count_pages(const AccessBatch& batch) {
  Misses misses = 0;
  for (const Shown& each : batch.pages) {
    Cache& buffer = each.use == Use::fetch ? model_.itlb() : model_.dtlb();
    if (!each.is_unknown || buffer.misses(each.address >> buffer.line_shift())) misses = kMissesBuffer;
    if (each.goes_on) continue;
    if (misses != 0) counts_of(each, batch).add(misses);
    misses = 0;
  }
}

LevelCounts& CacheCounter::counts_of(const Shown& shown, const AccessBatch& batch) {
  switch (shown.use) {
    case Use::data:
      return data_[shown.number];
    case Use::fetch:
      return fetches_[shown.address];
    case Use::engine:
      break;
  }
  return engine_counts(batch.by_engine[shown.number]);
}

LevelCounts& CacheCounter::engine_counts(const translate::Access& access) {
  const bool writes = access.kind == AccessKind::write;
  PointCounts& counts = others_[access.pc << 1 | (writes ? 1 : 0)];
  counts.pc = access.pc;
  counts.writes = writes;
  return counts.counts;
}

// --- what was counted ---

/// Of the points that are met once whenever their block is executed so far.
void CacheCounter::add_references(u32 block, const BlockRun& run) {
  const u64 past = points_[block].pc + run.guest_bytes;
  for (std::size_t at = block + 1; at <= block + points_[block].points && points_[at].pc < past; ++at)
    if (points_[at].end_word == translate::kNoWord) data_[at].references += run.count;
}

std::vector<StretchCount> CacheCounter::take_stretches() {
  std::vector<StretchCount> taken;
  for (const auto& decoder : decoders_) {
    decoder->take_runs([&](u32 block, const BlockRun& run) {
      add_references(block, run);
      taken.push_back({.pc = points_[block].pc,
                       .count = static_cast<i64>(run.count),
                       .guest_bytes = static_cast<u16>(run.guest_bytes),
                       .instructions = static_cast<u16>(run.instructions)});
    });
  }
  return taken;
}

std::vector<DataCount> CacheCounter::take_data() {
  for (const auto& decoder : decoders_) {
    const std::vector<PointCount> counts = decoder->take_counts();
    for (std::size_t point = 0; point < points_.size(); ++point)
      data_[point].add({.references = counts[point].references,
                        .first = counts[point].first,
                        .buffer = counts[point].buffer});
  }
  std::vector<DataCount> taken;
  for (std::size_t point = 0; point < points_.size(); ++point) {
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

}  // namespace orrery::lens::cache
