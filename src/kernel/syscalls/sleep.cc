// nanosleep and clock_nanosleep. The host sleeps; its remainder is kept, so that a sleep goes on for exactly
// what is left when a signal came that the guest ignores, and through restart_syscall when one came that had
// no handler (hrtimer_nanosleep in kernel/time/hrtimer.c).
#include "kernel/syscalls/sleep.h"

#include <asm/unistd.h>

#include <cerrno>

#include "kernel/dispatch.h"
#include "kernel/restart.h"
#include "kernel/signal.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/time_values.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

/// One sleep of the host on a clock. `left` is what to sleep, and then what remains if it is cut short.
i64 host_sleep(Call& call, u32 number, u64 clock, u64 flags, TimeValue& left) {
  TimeValue request = left, remainder = left;
  host::HostCall sleep;
  sleep.number = number;
  const u64 request_at = reinterpret_cast<u64>(&request), remainder_at = reinterpret_cast<u64>(&remainder);
  if (number == __NR_nanosleep) {
    sleep.args = {request_at, remainder_at};
    sleep.checked_args = 0;
  } else {
    sleep.args = {clock, flags, request_at, remainder_at};
    sleep.checked_args = 0x3;
  }
  sleep.in.add({request_at, sizeof request});
  if (flags != kTimerAbsolute) sleep.out.add({remainder_at, sizeof remainder, host::Extent::always, 1, 0});
  const i64 result = call.host().call(sleep);
  left = result == -EINVAL || remainder.valid() ? remainder : TimeValue{};  // a stranger's recording
  return result;
}

/// The same among other tasks. What the host would refuse it is asked to refuse.
i64 sleep_among_others(Call& call, u32 number, u64 clock, u64 flags, TimeValue& left) {
  constexpr u64 kBoottime = 7, kTai = 11;
  if (clock != kClockMonotonic && clock != kClockRealtime && clock != kBoottime && clock != kTai)
    return host_sleep(call, number, clock, flags, left);
  const TimeValue deadline = flags == kTimerAbsolute ? left : host_clock(call, clock).plus(left);
  Wait wait;
  wait.timed = true;
  wait.deadline_ns = monotonic_deadline_ns(call, clock, deadline);
  const i64 result = wait_among_others(call, wait);
  if (flags != kTimerAbsolute && result != 0) left = deadline.since(host_clock(call, clock));
  return result;
}

/// Sleeps until the time is over or a signal is to be delivered (-EINTR).
i64 sleep_through(Call& call, u32 number, u64 clock, u64 flags, TimeValue& left) {
  if (!call.process.scheduler.alone()) return sleep_among_others(call, number, clock, flags, left);
  for (;;) {
    const i64 result = host_sleep(call, number, clock, flags, left);
    if (result != -EINTR) return result;
    collect_host_signals(call.process);
    if (deliverable_signals(call.task) != 0) return -EINTR;
  }
}

/// A relative sleep was cut short: tells the guest what is left and prepares restart_syscall.
i64 cut_short(Call& call, u64 clock, const TimeValue& left, u64 remainder_address) {
  if (remainder_address != 0 && !call.space().write_value(remainder_address, left)) return -EFAULT;
  const TimeValue deadline = host_clock(call, clock).plus(left);
  RestartBlock& restart = call.task.restart;
  restart = {};
  restart.number = __NR_clock_nanosleep;
  restart.args = {clock, 0, 0, remainder_address};
  restart.deadline_seconds = static_cast<u64>(deadline.seconds);
  restart.deadline_nanoseconds = static_cast<u64>(deadline.nanoseconds);
  return restart_result(RestartRule::block);
}

i64 sleep_relative(Call& call, u32 number, u64 clock, u64 request_address, u64 remainder_address) {
  TimeValue left;
  if (!call.space().read_value(request_address, left)) return -EFAULT;
  if (!left.valid()) return -EINVAL;
  const i64 result = sleep_through(call, number, clock, 0, left);
  return result == -EINTR ? cut_short(call, clock, left, remainder_address) : result;
}

/// The rest of a sleep whose deadline stands in the restart block.
i64 resume_sleep(Call& call, const RestartBlock& block) {
  const u64 clock = block.args[0];
  TimeValue deadline{static_cast<i64>(block.deadline_seconds), static_cast<i64>(block.deadline_nanoseconds)};
  const i64 result = sleep_until(call, clock, deadline);
  if (result != -EINTR) return result;
  return cut_short(call, clock, deadline.since(host_clock(call, clock)), block.args[3]);
}

}  // namespace

i64 sleep_until(Call& call, u64 clock, const TimeValue& deadline) {
  TimeValue request = deadline;
  return sleep_through(call, __NR_clock_nanosleep, clock, kTimerAbsolute, request);
}

i64 sleep_until_signal(Call& call) {
  if (Wait forever; !call.process.scheduler.alone()) return wait_among_others(call, forever);
  for (;;) {
    host::HostCall pause;
    pause.number = __NR_pause;
    const i64 result = call.host().call(pause);
    if (result != -EINTR) return result;
    collect_host_signals(call.process);
    if (deliverable_signals(call.task) != 0) return -EINTR;
  }
}

i64 sys_nanosleep(Call& call) {
  return sleep_relative(call, __NR_nanosleep, kClockMonotonic, call.args[0], call.args[1]);
}

i64 sys_clock_nanosleep(Call& call) {
  const u64 clock = call.args[0];
  if ((call.args[1] & kTimerAbsolute) == 0)
    return sleep_relative(call, __NR_clock_nanosleep, clock, call.args[2], call.args[3]);
  TimeValue deadline;
  if (!call.space().read_value(call.args[2], deadline)) return -EFAULT;
  if (!deadline.valid()) return -EINVAL;
  const i64 result = sleep_until(call, clock, deadline);
  return result == -EINTR ? restart_result(RestartRule::no_handler) : result;
}

i64 sys_restart_syscall(Call& call) {
  const RestartBlock block = call.task.restart;
  call.task.restart = {};
  if (block.number == 0) return -EINTR;
  if (block.number == __NR_clock_nanosleep) return resume_sleep(call, block);
  if (block.number == __NR_futex) return resume_futex_wait(call, block);
  return perform_system_call(call.process, call.task, block.number, block.args);
}

}  // namespace orrery::kernel
