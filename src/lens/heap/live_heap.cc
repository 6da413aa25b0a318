#include "lens/heap/live_heap.h"

#include <algorithm>
#include <utility>

namespace orrery::lens::heap {
namespace {

constexpr std::size_t kSamplesMost = 4096;

}  // namespace

LiveHeap::~LiveHeap() {
  if (!worker_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void LiveHeap::hand_over() {
  if (++batches_ <= kBatchesAlone) return apply(batch_);
  if (!worker_.joinable()) worker_ = std::thread([this] { work(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < kBatchesWaiting; });
  waiting_.push_back(std::move(batch_));
  const bool is_one = !empty_.empty();
  if (is_one) {
    batch_ = std::move(empty_.back());
    empty_.pop_back();
  }
  lock.unlock();
  changed_.notify_all();
  if (!is_one) batch_ = Batch();
}

void LiveHeap::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Batch batch = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    works_ = true;
    lock.unlock();
    changed_.notify_all();
    apply(batch);
    lock.lock();
    works_ = false;
    empty_.push_back(std::move(batch));
    changed_.notify_all();
  }
}

void LiveHeap::settle() {
  if (worker_.joinable()) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.empty() && !works_; });
  }
  apply(batch_);
}

void LiveHeap::finish() {
  settle();
  if (!log_.empty()) keep_(log_.take());
}

void LiveHeap::apply(Batch& batch) {
  for (std::size_t at = 0; at < batch.used; ++at) {
    const HeapChange& each = batch.changes[at];
    if (each.kind == HeapChange::Kind::turn) {
      turn(each.address, static_cast<i32>(each.node));
      continue;
    }
    if (at + 1 < batch.used && allocate_for_now(each, batch.changes[at + 1])) {
      ++at;
      continue;
    }
    place_.ticks = each.ticks;
    each.kind == HeapChange::Kind::release ? release(each) : allocate(each);
  }
  batch.used = 0;
}

void LiveHeap::turn(u64 event, i32 task) {
  place_.event = event;
  place_.task = task;
  stretch_ = stretch_of_(event, task);
}

/// A node's sums, before they are changed: what they were at the peak is kept.
NodeSums& LiveHeap::change(CallTree::Node node) {
  if (node >= nodes_.size()) nodes_.resize(std::max<std::size_t>(node + 1, nodes_.size() * 2));
  NodeSums& sums = nodes_[node];
  if (sums.peak_epoch != peak_epoch_) {
    sums.peak_blocks = sums.live_blocks;
    sums.peak_bytes = sums.live_bytes;
    sums.peak_epoch = peak_epoch_;
  }
  return sums;
}

std::pair<u64, u64> LiveHeap::blocks_and_bytes_at_peak(const NodeSums& node) const {
  if (node.peak_epoch == peak_epoch_) return {node.peak_blocks, node.peak_bytes};
  return {node.live_blocks, node.live_bytes};
}

void LiveHeap::inherit(const Inherited& from, const LoggedPlace& place) {
  blocks_ = from.blocks;
  next_block_ = first_block_ = from.next_block;
  sums_.live_blocks = sums_.peak_blocks = from.live_blocks;
  sums_.live_bytes = sums_.peak_bytes = from.live_bytes;
  sums_.peak = place;
  sums_.peak_ns = stretch_of_(place.event, place.task).time_at(place.ticks);
  log_.begin_at(from.next_block);
}

void LiveHeap::allocate(const HeapChange& made_by) {
  const u64 size = made_by.size_bytes;
  LiveBlock* slot = blocks_.add(made_by.address);
  if (slot == nullptr) {
    release(made_by);  // that was not seen
    slot = blocks_.add(made_by.address);
  }
  LiveBlock& made = *slot;
  ++sums_.allocations;
  made.block.number = next_block_++;
  made.block.size_bytes = size;
  made.block.node = made_by.node;
  made.made.event = place_.event;
  made.made.task = place_.task;
  made.made.ticks = place_.ticks;
  made.made_ns = stretch_.time_at(place_.ticks);
  NodeSums& node = change(made_by.node);
  ++node.allocations;
  node.bytes += size;
  ++node.live_blocks;
  node.live_bytes += size;
  sums_.bytes += size;
  ++sums_.live_blocks;
  sums_.live_bytes += size;
  last_allocated_ = made.block.number;
  if (sums_.live_bytes > sums_.peak_bytes) {
    sums_.peak_bytes = sums_.live_bytes;
    sums_.peak_blocks = sums_.live_blocks;
    sums_.peak = place_;
    sums_.peak_ns = made.made_ns;
    ++peak_epoch_;
  }
  log_.allocate(place_, made.block);
  keep_if_full();
  sample();
}

void LiveHeap::release(const HeapChange& from) {
  const LiveBlock* const known = blocks_.find(from.address);
  if (known == nullptr) {
    sums_.unknown_releases += from.by_allocator ? 0 : 1;
    return;
  }
  const u64 number = known->block.number, size = known->block.size_bytes;
  const CallTree::Node by = known->block.node;
  blocks_.erase(known);
  ++sums_.releases;
  --sums_.live_blocks;
  sums_.live_bytes -= size;
  if (number >= first_block_) {
    NodeSums& node = change(by);
    --node.live_blocks;
    node.live_bytes -= size;
    if (number == last_allocated_) {
      ++node.temporary;
      ++sums_.temporary;
    }
  }
  last_allocated_ = kNoBlock;
  log_.release(place_, number);
  keep_if_full();
  sample();
}

/// What allocate() and release() do for a block that is released at once, as many are: it needs no place
/// among the live ones. False, and nothing done, unless it is such a one and nothing else is to be noted of
/// it.
bool LiveHeap::allocate_for_now(const HeapChange& made_by, const HeapChange& from) {
  if (made_by.kind != HeapChange::Kind::allocate || from.kind != HeapChange::Kind::release ||
      made_by.address != from.address)
    return false;
  const u64 size = made_by.size_bytes;
  if (sums_.live_bytes + size > sums_.peak_bytes || until_sample_ <= 2 ||
      blocks_.find(made_by.address) != nullptr)
    return false;
  const u64 number = next_block_++;
  ++sums_.allocations;
  ++sums_.releases;
  ++sums_.temporary;
  sums_.bytes += size;
  NodeSums& node = change(made_by.node);
  ++node.allocations;
  ++node.temporary;
  node.bytes += size;
  last_allocated_ = kNoBlock;
  until_sample_ -= 2;
  place_.ticks = made_by.ticks;
  log_.allocate(place_, {number, made_by.address, size, made_by.node});
  keep_if_full();
  place_.ticks = from.ticks;
  log_.release(place_, number);
  keep_if_full();
  return true;
}

void LiveHeap::keep_if_full() {
  if (log_.is_full()) keep_(log_.take());
}

/// Every so often; when there are too many, every other one goes and they become rarer.
void LiveHeap::sample() {
  if (--until_sample_ != 0) return;
  until_sample_ = sample_every_;
  samples_.push_back({.place = place_,
                      .time_ns = stretch_.time_at(place_.ticks),
                      .live_blocks = sums_.live_blocks,
                      .live_bytes = sums_.live_bytes});
  if (samples_.size() < kSamplesMost) return;
  for (std::size_t at = 0; at < samples_.size() / 2; ++at) samples_[at] = samples_[2 * at + 1];
  samples_.resize(samples_.size() / 2);
  sample_every_ *= 2;
}

std::vector<LiveBlock> LiveHeap::take_live() {
  std::vector<LiveBlock> found = blocks_.take();
  std::erase_if(found, [this](const LiveBlock& each) { return each.block.number < first_block_; });
  std::sort(found.begin(), found.end(), [](const LiveBlock& left, const LiveBlock& right) {
    return left.block.number < right.block.number;
  });
  return found;
}

}  // namespace orrery::lens::heap
