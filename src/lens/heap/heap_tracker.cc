#include "lens/heap/heap_tracker.h"

#include <algorithm>

namespace orrery::lens::heap {
namespace {

constexpr std::size_t kSamplesMost = 4096;

u64 argument_or(const TaskCalls::Pending& from, u8 argument, u64 otherwise) {
  return argument == kNoArgument ? otherwise : from.arguments[argument];
}

}  // namespace

void HeapTracker::watch(const std::map<u64, const AllocatorFunction*>& functions, u64 begin, u64 end) {
  for (const auto& [address, function] : functions) {
    functions_[address] = static_cast<u32>(by_number_.size());
    by_number_.push_back({function, begin, end});
  }
}

void HeapTracker::turn(i32 task, u64 event, u64 /*ticks*/) {
  event_ = event;
  if (calls_ != nullptr && task == task_) return;
  task_ = task;
  calls_ = &tasks_.try_emplace(task, tree_).first->second;
}

void HeapTracker::entry(u64 pc, const translate::EnteredFunction& entered) {
  const u32* const number = functions_.find(pc);
  if (calls_ == nullptr || number == nullptr) return;
  const CallTree::Node node = calls_->enter(entered.rsp);
  std::vector<TaskCalls::Pending>& pending = calls_->pending();
  drop_abandoned(entered.rsp);
  if (!pending.empty()) return;  // called, or jumped to, by the one that was entered first
  pending.push_back({.rsp = entered.rsp, .function = *number, .ticks = entered.ticks, .node = node});
  TaskCalls::Pending& made = pending.back();
  std::copy(std::begin(entered.arguments), std::end(entered.arguments), std::begin(made.arguments));
  const AllocatorFunction& function = *by_number_[*number].function;
  if (function.kind == FunctionKind::release) release(made, made.arguments[function.pointer]);
}

/// Functions that were left by an exception or longjmp: where the stack pointer is above theirs.
void HeapTracker::drop_abandoned(u64 rsp) {
  std::vector<TaskCalls::Pending>& pending = calls_->pending();
  for (; !pending.empty() && rsp > pending.back().rsp; pending.pop_back())
    sums_.failed += by_number_[pending.back().function].function->kind == FunctionKind::release ? 0 : 1;
}

void HeapTracker::returned(u64 rsp, u64 rax) {
  std::vector<TaskCalls::Pending>& pending = calls_->pending();
  if (pending.back().rsp != rsp) return;
  const TaskCalls::Pending from = pending.back();
  pending.pop_back();
  const AllocatorFunction& function = *by_number_[from.function].function;
  if (function.kind == FunctionKind::allocate_to) to_be_stored_ = from;
  if (function.kind == FunctionKind::release || function.kind == FunctionKind::allocate_to) return;
  const bool takes_back = function.kind == FunctionKind::reallocate && from.arguments[function.pointer] != 0;
  const u64 size = argument_or(from, function.size, 0) * argument_or(from, function.count, 1);
  if (takes_back && (rax != 0 || size == 0)) release(from, from.arguments[function.pointer]);
  if (rax != 0)
    allocate(from, rax);
  else if (size != 0)
    ++sums_.failed;
}

void HeapTracker::stored(u64 address) {
  if (to_be_stored_ && address != 0) allocate(*to_be_stored_, address);
  to_be_stored_.reset();
}

LoggedPlace HeapTracker::place_of(const TaskCalls::Pending& from) const {
  return {.event = event_, .task = task_, .ticks = from.ticks};
}

/// A node's sums, before they are changed: what they were at the peak is kept.
NodeSums& HeapTracker::change(CallTree::Node node) {
  if (node >= nodes_.size()) nodes_.resize(std::max<std::size_t>(node + 1, nodes_.size() * 2));
  NodeSums& sums = nodes_[node];
  if (sums.peak_epoch != peak_epoch_) {
    sums.peak_blocks = sums.live_blocks;
    sums.peak_bytes = sums.live_bytes;
    sums.peak_epoch = peak_epoch_;
  }
  return sums;
}

std::pair<u64, u64> HeapTracker::blocks_and_bytes_at_peak(const NodeSums& node) const {
  if (node.peak_epoch == peak_epoch_) return {node.peak_blocks, node.peak_bytes};
  return {node.live_blocks, node.live_bytes};
}

void HeapTracker::allocate(const TaskCalls::Pending& from, u64 address) {
  const AllocatorFunction& function = *by_number_[from.function].function;
  const LoggedPlace place = place_of(from);
  if (blocks_.find(address) != nullptr) release(from, address);  // its release was not seen
  const u64 size = argument_or(from, function.size, 0) * argument_or(from, function.count, 1);
  const u64 number = sums_.allocations++;
  u32 at = static_cast<u32>(places_.size());
  if (free_places_.empty()) {
    places_.push_back(place);
  } else {
    at = free_places_.back();
    free_places_.pop_back();
    places_[at] = place;
  }
  blocks_[address] = {number, size, from.node, at};
  NodeSums& node = change(from.node);
  ++node.allocations;
  node.bytes += size;
  ++node.live_blocks;
  node.live_bytes += size;
  sums_.bytes += size;
  ++sums_.live_blocks;
  sums_.live_bytes += size;
  last_allocated_ = number;
  if (sums_.live_bytes > sums_.peak_bytes) {
    sums_.peak_bytes = sums_.live_bytes;
    sums_.peak_blocks = sums_.live_blocks;
    sums_.peak = place;
    ++peak_epoch_;
  }
  log_.allocate(place, {.number = number, .address = address, .size_bytes = size, .node = from.node});
  keep_if_full();
  sample(place);
}

void HeapTracker::release(const TaskCalls::Pending& from, u64 address) {
  if (address == 0) return;
  const Block* const known = blocks_.find(address);
  if (known == nullptr) {
    const Watched& by = by_number_[from.function];
    const u64 caller = tree_.pc(from.node);
    sums_.unknown_releases += caller >= by.begin && caller < by.end ? 0 : 1;
    return;
  }
  const Block block = *known;
  blocks_.erase(address);
  free_places_.push_back(block.place);
  NodeSums& node = change(block.node);
  --node.live_blocks;
  node.live_bytes -= block.size_bytes;
  ++sums_.releases;
  --sums_.live_blocks;
  sums_.live_bytes -= block.size_bytes;
  if (block.number == last_allocated_) {
    ++node.temporary;
    ++sums_.temporary;
  }
  last_allocated_ = kNoBlock;
  const LoggedPlace place = place_of(from);
  log_.release(place, block.number);
  keep_if_full();
  sample(place);
}

void HeapTracker::keep_if_full() {
  if (log_.is_full()) keep_(log_.take());
}

/// Every so often; when there are too many, every other one goes and they become rarer.
void HeapTracker::sample(const LoggedPlace& place) {
  if (--until_sample_ != 0) return;
  until_sample_ = sample_every_;
  samples_.push_back({.place = place, .live_blocks = sums_.live_blocks, .live_bytes = sums_.live_bytes});
  if (samples_.size() < kSamplesMost) return;
  for (std::size_t at = 0; at < samples_.size() / 2; ++at) samples_[at] = samples_[2 * at + 1];
  samples_.resize(samples_.size() / 2);
  sample_every_ *= 2;
}

void HeapTracker::finish() {
  if (!log_.empty()) keep_(log_.take());
}

std::vector<HeapTracker::Live> HeapTracker::live() const {
  std::vector<Live> found;
  blocks_.for_each([&](u64 address, const Block& block) {
    found.push_back(
        {.block = {block.number, address, block.size_bytes, block.node}, .made = places_[block.place]});
  });
  std::sort(found.begin(), found.end(),
            [](const Live& left, const Live& right) { return left.block.number < right.block.number; });
  return found;
}

}  // namespace orrery::lens::heap
