// The order among the processes of a replayed machine. Each replays by itself, from its own events; only what
// others can see has to wait until all have come as far: what a process writes where people read, and what it
// does to memory that it shares.
//
// Why no turn begins too early: while a process has its turn, its `shared_ns` stands at the turn's beginning,
// which is earlier than any turn that came after it. Why nobody waits for ever: a process waits for times
// before that of its own next event only, so the one whose next event is the earliest waits for nobody; and
// who has a turn came to it before those that wait for its end.
#pragma once

#include "base/types.h"
#include "trace/family.h"
#include "trace/ring.h"

namespace orrery::replay {

class Order {
 public:
  explicit Order(trace::Waiter& waiter) : waiter_(waiter) {}

  /// The page that all share, of `size_bytes`. Without one there is no order, and nobody waits.
  void use(trace::ReplayOrder* page, u64 size_bytes);

  /// This process's next event has this time.
  void reached(u64 time_ns) {
    if (page_ == nullptr) return;
    __atomic_store_n(&progress(process_).next_ns, time_ns, __ATOMIC_RELEASE);
    if (!has_turn_) __atomic_store_n(&progress(process_).shared_ns, time_ns, __ATOMIC_RELEASE);
  }
  /// There will be no more.
  void ended();

  /// Before `child` is made at that time, in its parent; and then in the child, as which process it goes on.
  void expect_child(u32 child, u64 time_ns);
  void become(u32 process);

  /// Until no other process can have an event before `time_ns`.
  void wait_for(u64 time_ns);
  /// Its turn, which began at `time_ns`: until no other can do anything to shared memory before that.
  void take_turn(u64 time_ns);
  void give_turn() { has_turn_ = false; }

 private:
  trace::ReplayProgress& progress(u32 process) { return page_->progress[process]; }
  template <class Has>
  void wait_until_all(const Has& has);

  trace::Waiter& waiter_;
  trace::ReplayOrder* page_ = nullptr;
  u32 count_ = 0;  ///< processes there is room for; the page could change under us
  u32 process_ = 0;
  bool has_turn_ = false;
};

}  // namespace orrery::replay
