// Who waits on which futex: for each address the waiters in the order in which they came. A leaf: it knows
// nothing of memory, time or scheduling; whoever takes a waiter out of it wakes its task.
#pragma once

#include "base/hash_map.h"
#include "base/types.h"

namespace orrery::kernel {

struct Task;

/// One task's wait on one address; lives on the stack of the waiting system call.
struct FutexWaiter {
  Task* task = nullptr;
  u64 address = 0;
  u32 bitset = ~u32{0};
  bool for_lock = false;  ///< FUTEX_LOCK_PI: is woken only by being given the lock
  bool queued = false;
  FutexWaiter* before = nullptr;
  FutexWaiter* after = nullptr;
};

class FutexTable {
 public:
  void add(FutexWaiter& waiter) {
    Queue& queue = queues_[waiter.address];
    waiter.before = queue.last;
    waiter.after = nullptr;
    (queue.last != nullptr ? queue.last->after : queue.first) = &waiter;
    queue.last = &waiter;
    waiter.queued = true;
  }

  void remove(FutexWaiter& waiter) {
    if (!waiter.queued) return;
    Queue& queue = *queues_.find(waiter.address);
    (waiter.before != nullptr ? waiter.before->after : queue.first) = waiter.after;
    (waiter.after != nullptr ? waiter.after->before : queue.last) = waiter.before;
    waiter.queued = false;
    if (queue.first == nullptr) queues_.erase(waiter.address);
  }

  /// The waiter that came first, and the next one behind a waiter; null if there is none.
  FutexWaiter* first(u64 address) const {
    const Queue* const queue = queues_.find(address);
    return queue == nullptr ? nullptr : queue->first;
  }

  /// exec: the addresses mean nothing any more.
  void clear() { queues_.clear(); }

 private:
  struct Queue {
    FutexWaiter* first = nullptr;
    FutexWaiter* last = nullptr;
  };
  HashMap<Queue> queues_;
};

}  // namespace orrery::kernel
