// What a program does to its heap: follows the stream of calls through the functions of its allocators.
//
// Only the outermost of nested allocator functions counts (operator new calls malloc, calloc may call
// malloc), as for heaptrack. A block is live from the return of the function that gave it to the call of the
// one that takes it back.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/hash_map.h"
#include "lens/heap/allocator_functions.h"
#include "lens/heap/call_tree.h"
#include "lens/heap/live_heap.h"
#include "translate/call_stream.h"

namespace orrery::lens::heap {

class HeapTracker {
 public:
  HeapTracker(LiveHeap::Keep keep, LiveHeap::StretchOf stretch_of)
      : heap_(std::move(keep), std::move(stretch_of)) {}

  /// What a process has that the running task forks.
  struct Inheritance {
    CallTree tree;
    std::unique_ptr<TaskCalls> calls;  ///< of that task
    LiveHeap::Inherited heap;
  };
  std::unique_ptr<const Inheritance> inheritance();
  /// Before anything comes. `place`: where the process begins, with the task that it has.
  void inherit(const Inheritance& from, const LoggedPlace& place);

  /// Functions that are watched from here on.
  void watch(const FileFunctions& file);
  /// The function of kind allocate_to that has just returned has stored this address.
  void stored(u64 address);

  // --- the stream of calls (translate::read_calls), of the watched functions ---
  void turn(i32 task, u64 event, u64 ticks);
  void call(u64 pc, u64 rsp) {
    if (calls_ == nullptr) return;
    calls_->call(pc, rsp);
    drop_abandoned(rsp);
  }
  void ret(u64 /*pc*/, u64 rsp, u64 rax) {
    if (calls_ == nullptr) return;
    calls_->ret(rsp);
    if (calls_->pending().is_at(rsp)) returned(rax);
  }
  void outer(u64 rsp) {
    if (calls_ == nullptr) return;
    calls_->outer(rsp);
    TaskCalls::Pending& pending = calls_->pending();
    if (pending.ends_unnoted && calls_->innermost_rsp() > pending.rsp + kReturnAddressBytes) pending = {};
  }
  void entry(u64 pc, const translate::EnteredFunction& entered) {
    if (calls_ == nullptr) return;
    calls_->go_to(entered.rsp);
    const Led& led = led_[led_slot(calls_->path(), pc)];
    if (led.path != calls_->path() || led.pc != pc) [[unlikely]]
      if (!learn_led(pc)) return;
    drop_abandoned(entered.rsp);
    // Else it is called, or jumped to, by the one that was entered first.
    if (calls_->pending().rsp == 0) enter(led, entered);
  }

  /// All that came is counted in heap().
  void settle() { heap_.settle(); }
  /// No more comes.
  void finish() { heap_.finish(); }

  /// A function that is or was watched.
  struct Watched {
    AllocatorFunction function;
    u64 address = 0;
    std::string path;        ///< of its file
    u64 begin = 0, end = 0;  ///< where that is mapped
    u64 calls = 0;           ///< of the program, not of other such functions
  };
  /// The function that the task which runs is in, and the call of it; null if it is in none.
  struct Inside {
    const Watched* function = nullptr;
    CallTree::Node node = CallTree::kRoot;
  };
  Inside inside(u64 rsp) const;
  const std::vector<Watched>& watched() const { return by_number_; }
  const CallTree& tree() const { return tree_; }
  const LiveHeap& heap() const { return heap_; }
  std::vector<LiveBlock> take_live() { return heap_.take_live(); }
  u64 failed() const { return failed_; }  ///< requests that got no block

 private:
  static constexpr u64 kReturnAddressBytes = 8;
  /// A function that was entered, and how. The same ones are entered the same way again and again, so they
  /// are looked up in the other places once.
  struct Led {
    u64 path = 0;  ///< TaskCalls::path()
    u64 pc = 0;
    u32 function = 0;
    CallTree::Node node = CallTree::kRoot;
  };
  static constexpr std::size_t kLed = 1 << 10;
  static std::size_t led_slot(u64 path, u64 pc) { return (path ^ pc >> 4) & (kLed - 1); }
  bool learn_led(u64 pc);
  void enter(const Led& led, const translate::EnteredFunction& entered);
  using Pending = TaskCalls::Pending;
  void returned(u64 rax);
  /// A function that was left by an exception or longjmp: where the stack pointer is above its.
  void drop_abandoned(u64 rsp) {
    Pending& pending = calls_->pending();
    if (pending.rsp < rsp && pending.rsp != 0) [[unlikely]]
      abandon(pending);
  }
  void abandon(Pending& pending);
  void allocate(const Pending& from, u64 address);
  void release(const Pending& from, u64 address);
  HeapChange& change_by(const Pending& from);

  CallTree tree_;
  HashMap<u32> functions_;                         ///< number by address
  std::vector<Led> led_ = std::vector<Led>(kLed);  ///< of a path and pc, at led_slot()
  std::vector<Watched> by_number_;
  std::unordered_map<i32, TaskCalls> tasks_;
  TaskCalls* calls_ = nullptr;  ///< of the task that runs
  i32 task_ = 0;
  u64 event_ = 0;
  bool has_turned_ = false;  ///< since the last change
  u64 failed_ = 0;
  std::optional<Pending> to_be_stored_;
  LiveHeap heap_;
};

}  // namespace orrery::lens::heap
