#include "lens/heap/heap_tracker.h"

#include <algorithm>

namespace orrery::lens::heap {
void HeapTracker::watch(const FileFunctions& file) {
  std::fill(led_.begin(), led_.end(), Led{});
  for (const auto& [address, function] : file.by_address) {
    functions_[address] = static_cast<u32>(by_number_.size());
    by_number_.push_back(
        {.function = *function, .address = address, .path = file.path, .begin = file.begin, .end = file.end});
  }
}

std::unique_ptr<const HeapTracker::Inheritance> HeapTracker::inheritance() {
  settle();
  auto made = std::make_unique<Inheritance>(
      Inheritance{.tree = tree_, .calls = nullptr, .heap = heap_.inheritance()});
  if (calls_ != nullptr) made->calls = std::make_unique<TaskCalls>(*calls_, made->tree);
  return made;
}

void HeapTracker::inherit(const Inheritance& from, const LoggedPlace& place) {
  tree_ = from.tree;
  if (from.calls != nullptr) tasks_.try_emplace(place.task, *from.calls, tree_);
  heap_.inherit(from.heap, place);
}

void HeapTracker::turn(i32 task, u64 event, u64 /*ticks*/) {
  event_ = event;
  has_turned_ = true;
  if (calls_ != nullptr && task == task_) return;
  task_ = task;
  calls_ = &tasks_.try_emplace(task, tree_).first->second;
}

/// False if the function is none that is watched.
bool HeapTracker::learn_led(u64 pc) {
  const u32* const number = functions_.find(pc);
  if (number == nullptr) return false;
  const u64 path = calls_->path();
  led_[led_slot(path, pc)] = {.path = path, .pc = pc, .function = *number, .node = calls_->node()};
  return true;
}

void HeapTracker::enter(const Led& led, const translate::EnteredFunction& entered) {
  Pending& made = calls_->pending();
  made.rsp = entered.rsp;
  made.function = led.function;
  made.node = led.node;
  for (int argument = 0; argument < 3; ++argument) made.arguments[argument] = entered.arguments[argument];
  made.ticks = entered.ticks;
  Watched& watched = by_number_[led.function];
  ++watched.calls;
  const AllocatorFunction& function = watched.function;
  const bool releases = function.kind == FunctionKind::release;
  // Its return is not noted, unless it fits no call, which the engine cannot know to be one that is not
  // wanted.
  made.ends_unnoted = releases && calls_->innermost_rsp() == entered.rsp + kReturnAddressBytes;
  if (releases) release(made, made.arguments[function.pointer]);
}

HeapTracker::Inside HeapTracker::inside(u64 rsp) const {
  if (calls_ == nullptr) return {};
  const Pending& pending = calls_->pending();
  if (pending.rsp == 0 || pending.rsp < rsp) return {};
  return {.function = &by_number_[pending.function], .node = pending.node};
}

void HeapTracker::abandon(Pending& pending) {
  failed_ += by_number_[pending.function].function.kind == FunctionKind::release ? 0 : 1;
  pending.rsp = 0;
}

void HeapTracker::returned(u64 rax) {
  Pending& from = calls_->pending();
  const AllocatorFunction& function = by_number_[from.function].function;
  if (function.kind == FunctionKind::allocate_to) to_be_stored_ = from;
  from.rsp = 0;
  if (function.kind == FunctionKind::release || function.kind == FunctionKind::allocate_to) return;
  const bool takes_back = function.kind == FunctionKind::reallocate && from.arguments[function.pointer] != 0;
  const u64 size = function.size_asked(from.arguments);
  if (takes_back && (rax != 0 || size == 0)) release(from, from.arguments[function.pointer]);
  if (rax != 0)
    allocate(from, rax);
  else if (size != 0)
    ++failed_;
}

void HeapTracker::stored(u64 address) {
  if (to_be_stored_ && address != 0) allocate(*to_be_stored_, address);
  to_be_stored_.reset();
}

void HeapTracker::allocate(const Pending& from, u64 address) {
  const AllocatorFunction& function = by_number_[from.function].function;
  HeapChange& change = change_by(from);
  change.address = address;
  change.size_bytes = function.size_asked(from.arguments);
  change.kind = HeapChange::Kind::allocate;
}

void HeapTracker::release(const Pending& from, u64 address) {
  if (address == 0) return;
  const Watched& by = by_number_[from.function];
  const u64 caller = tree_.pc(from.node);
  HeapChange& change = change_by(from);
  change.address = address;
  change.kind = HeapChange::Kind::release;
  change.by_allocator = caller >= by.begin && caller < by.end;
}

HeapChange& HeapTracker::change_by(const Pending& from) {
  if (has_turned_) {
    has_turned_ = false;
    HeapChange& turned = heap_.add();
    turned.kind = HeapChange::Kind::turn;
    turned.address = event_;
    turned.node = static_cast<u32>(task_);
  }
  HeapChange& change = heap_.add();
  change.ticks = from.ticks;
  change.node = from.node;
  return change;
}

}  // namespace orrery::lens::heap
