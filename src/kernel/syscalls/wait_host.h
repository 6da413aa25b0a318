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

/// Before a host call that may sleep is made among other tasks: waits until its descriptor is ready. 0, or
/// -EINTR. Calls that have no such descriptor are not waited for: they may hold up all tasks.
i64 wait_until_ready(Call& call, const host::HostCall& host_call);

/// write(2) of more than a pipe or socket may take at once would sleep although that is ready. Among other
/// tasks it is therefore made in pieces that are taken at once. False if this is no such call.
bool write_in_pieces(Call& call, i64& result);

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
