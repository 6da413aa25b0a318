// Waiting, for system calls. Alone, a task sleeps in the host's call itself; among others it waits in the
// scheduler for what would let the call go on.
#pragma once

#include "kernel/scheduler.h"
#include "kernel/syscalls/call.h"
#include "kernel/syscalls/time_values.h"

namespace orrery::kernel {

/// Waits until `wait` ends: 0, or -EINTR when a signal is to be delivered instead.
i64 wait_among_others(Call& call, Wait& wait);

/// `deadline` of `clock` on CLOCK_MONOTONIC, in ns.
i64 monotonic_deadline_ns(Call& call, u64 clock, const TimeValue& deadline);

/// Makes a wait of poll's kind among other tasks: `look()` is the host call with no time-out, `wait` says for
/// what to wait while it finds nothing. `left` as host_poll's.
template <class Look>
i64 look_until(Call& call, TimeValue* left, Wait& wait, const Look& look) {
  const bool finite = left != nullptr;
  const TimeValue deadline =
      finite && !left->is_zero() ? host_clock(call, kClockMonotonic).plus(*left) : TimeValue{};
  for (;;) {
    const i64 result = look();
    if (result != 0 || (finite && left->is_zero())) return result;
    wait.timed = finite;
    if (finite) wait.deadline_ns = monotonic_deadline_ns(call, kClockMonotonic, deadline);
    wait.woken = wait.ready = wait.timed_out = false;
    const i64 waited = wait_among_others(call, wait);
    if (finite) *left = deadline.since(host_clock(call, kClockMonotonic));
    if (waited != 0) return -static_cast<i64>(call.row.restart_rule);
  }
}

}  // namespace orrery::kernel
