// The order among the processes of a replayed machine. Each replays by itself, from its own events; only what
// others can see has to wait until all have come as far: what a process writes where people read.
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
    if (page_ != nullptr) __atomic_store_n(slot(process_), time_ns, __ATOMIC_RELEASE);
  }
  /// There will be no more.
  void ended() { reached(~u64{0}); }

  /// Before `child` is made at that time, in its parent; and then in the child, as which process it goes on.
  void expect_child(u32 child, u64 time_ns);
  void become(u32 process) { process_ = process; }

  /// Until no other process can have an event before `time_ns`.
  void wait_for(u64 time_ns);

 private:
  u64* slot(u32 process) { return &page_->next_ns[process]; }
  bool all_have_reached(u64 time_ns);

  trace::Waiter& waiter_;
  trace::ReplayOrder* page_ = nullptr;
  u32 count_ = 0;  ///< slots there are; the page could change under us
  u32 process_ = 0;
};

}  // namespace orrery::replay
