#include "kernel/shared_futex.h"

#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>

#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

constexpr u64 kWaitBitset = 9, kWakeBitset = 10, kClockRealtimeFlag = 0x100;

/// A sleep on the host, while others have their turns.
i64 sleep_on_host(Call& call, const FutexWaiter& waiter, u32 value, u64 clock, const TimeValue* deadline) {
  host::HostCall sleep;
  sleep.number = __NR_futex;
  sleep.args = {waiter.address,
                kWaitBitset | (clock == kClockRealtime ? kClockRealtimeFlag : 0),
                value,
                reinterpret_cast<u64>(deadline),
                0,
                waiter.bitset};
  sleep.checked_args = 0b100111;
  if (deadline != nullptr) sleep.in.add({reinterpret_cast<u64>(deadline), sizeof *deadline});
  Scheduler& scheduler = call.process.scheduler;
  scheduler.give_turn();
  const i64 result = call.host().call(sleep);
  scheduler.take_turn();
  return result;
}

i64 sleep_as_only_task(Call& call, const FutexWaiter& waiter, u32 value, u64 clock,
                       const TimeValue* deadline) {
  for (;;) {
    if (deliverable_signals(call.task) != 0) return -EINTR;
    const i64 result = sleep_on_host(call, waiter, value, clock, deadline);
    if (result == -EAGAIN) return 0;  // it changed before the host looked
    if (result != -EINTR) return result;
    collect_host_signals(call.process);
  }
}

i64 look_now_and_then(Call& call, FutexWaiter& waiter, u32 value, u64 clock, const TimeValue* deadline) {
  constexpr i64 kLeastNs = 200'000, kMostNs = 10'000'000;
  const bool timed = deadline != nullptr;
  const bool seeded = call.process.scheduler.turns_are_seeded();
  const i64 deadline_ns = timed ? monotonic_deadline_ns(call, clock, *deadline) : 0;
  FutexTable& table = *call.process.futexes;
  waiter.task = &call.task;
  table.add(waiter);
  i64 result = 0;
  for (i64 pause_ns = kLeastNs;; pause_ns = std::min(2 * pause_ns, kMostNs)) {
    Wait wait;
    wait.tries_again = seeded;
    wait.timed = timed || !seeded;
    wait.deadline_ns =
        seeded ? deadline_ns : host_clock(call, kClockMonotonic).total_nanoseconds() + pause_ns;
    const bool last = timed && deadline_ns <= wait.deadline_ns;
    if (last) wait.deadline_ns = deadline_ns;
    result = wait_among_others(call, wait);
    u32 now = 0;
    if (!waiter.queued || result != 0) break;
    if (!call.space().read_value(waiter.address, now) || now != value) break;
    if (last && wait.timed_out) {
      result = -ETIMEDOUT;
      break;
    }
  }
  if (!waiter.queued) result = 0;
  table.remove(waiter);
  return result;
}

}  // namespace

bool is_shared_futex(Process& process, u64 address) {
  if (!process.scheduler.takes_turns()) return false;
  const memory::Region* const region = process.space().find(address);
  return region != nullptr && region->shared();
}

i64 wait_on_shared(Call& call, FutexWaiter& waiter, u64 clock, const TimeValue* deadline) {
  u32 value = 0;
  if (!call.space().read_value(waiter.address, value)) return -EFAULT;
  return call.process.scheduler.only_task() ? sleep_as_only_task(call, waiter, value, clock, deadline)
                                            : look_now_and_then(call, waiter, value, clock, deadline);
}

i64 wake_others_on_shared(Process& process, u64 address, i64 count, u32 bitset) {
  host::HostCall wake;
  wake.number = __NR_futex;
  wake.args = {address, kWakeBitset, static_cast<u64>(count), 0, 0, bitset};
  wake.checked_args = 0b100111;
  return std::max<i64>(process.host.call(wake), 0);
}

}  // namespace orrery::kernel
