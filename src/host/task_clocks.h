// How much processor time each task of the process has used. The host sees one thread; so whenever another
// task goes on, what the thread has used since is the last one's.
#pragma once

#include <optional>
#include <vector>

#include "base/types.h"

namespace orrery::host {

class TaskClocks {
 public:
  /// From now on `task` runs. Until the first time, it was the process's first task, whose id is the
  /// process's.
  void switch_to(i32 task);
  void forget(i32 task);
  /// In a forked child: its only task has used nothing.
  void begin_process() { *this = {}; }

  /// clock_gettime(2) and getrusage(2) of a task's own time. Nothing: the call is about something else, or
  /// the process never had another task, and the host knows better.
  std::optional<i64> answer(u64 number, u64 which, u64 address) const;

 private:
  struct Clock {
    i32 task = 0;
    u64 used_ns = 0;
  };
  u64 used_ns(const Clock& clock) const;
  const Clock* find(i32 task) const;

  std::vector<Clock> clocks_;  ///< empty as long as there is one task
  i32 running_ = 0;
  u64 since_ns_ = 0;  ///< the thread's time when that began to run
};

}  // namespace orrery::host
