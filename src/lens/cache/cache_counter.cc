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
  for (const LineAccess& each : batch.to_be_shown()) {
    switch (each.kind) {
      case LineAccess::Kind::data:
        if (const Misses misses = model_.data(each.address, each.size_bytes); misses != 0)
          data_[each.number].add(misses);
        break;
      case LineAccess::Kind::fetch:
        if (const Misses misses = model_.instructions(each.address); misses != 0)
          fetches_[each.address].add(misses);
        break;
      case LineAccess::Kind::other:
        count_other(batch.others[each.number]);
        break;
    }
  }
}

void CacheCounter::count_other(const OtherAccess& other) {
  if (other.point != OtherAccess::kNoPoint) return repeated(data_[other.point], other);
  const bool writes = other.access.kind == AccessKind::write;
  PointCounts& counts = others_[other.access.pc << 1 | (writes ? 1 : 0)];
  counts.pc = other.access.pc;
  counts.writes = writes;
  ++counts.counts.references;
  counts.counts.add(model_.data(other.access.address, other.access.size_bytes));
}

/// Of a repeated string instruction: a reference for each element, a miss for each line at most.
void CacheCounter::repeated(LevelCounts& counts, const OtherAccess& other) {
  counts.references += other.access.size_bytes / other.element_bytes;
  const u64 end = other.access.address + other.access.size_bytes, line_bytes = model_.data_line_bytes();
  for (u64 at = other.access.address; at < end;) {
    const u64 next = std::min(end, (at & ~(line_bytes - 1)) + line_bytes);
    counts.add(model_.data(at, next - at));
    at = next;
  }
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
