#include "kernel/syscalls/wait_host.h"

#include <cerrno>

namespace orrery::kernel {

i64 wait_among_others(Call& call, Wait& wait) {
  call.process.scheduler.block(wait);
  return wait.woken || wait.ready || wait.timed_out ? 0 : -EINTR;
}

i64 monotonic_deadline_ns(Call& call, u64 clock, const TimeValue& deadline) {
  if (clock == kClockMonotonic) return deadline.total_nanoseconds();
  const TimeValue now = host_clock(call, kClockMonotonic);
  return now.plus(deadline.since(host_clock(call, clock))).total_nanoseconds();
}

}  // namespace orrery::kernel
