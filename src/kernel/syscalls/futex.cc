// Futexes, as kernel/futex/*.c has them: what an operation checks first, who is woken in which order, what
// it does to memory (FUTEX_WAKE_OP, PI locks, robust lists). Tasks of a process run one at a time, so a word
// cannot change between its check and the wait.
//
// A task that is alone sleeps on the host, until its time-out or a signal: nobody in the machine can wake it.
#include "kernel/syscalls/futex.h"

#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "kernel/futex_table.h"
#include "kernel/restart.h"
#include "kernel/scheduler.h"
#include "kernel/shared_futex.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/sleep.h"
#include "kernel/syscalls/time_values.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

enum Operation : u32 {
  kWait = 0,
  kWake = 1,
  kRequeue = 3,
  kCompareRequeue = 4,
  kWakeOp = 5,
  kLockPi = 6,
  kUnlockPi = 7,
  kTryLockPi = 8,
  kWaitBitset = 9,
  kWakeBitset = 10,
  kCompareRequeuePi = 12,
  kLockPi2 = 13,
};
constexpr u32 kPrivateFlag = 0x80, kClockRealtimeFlag = 0x100;
// FUTEX_TID_MASK, FUTEX_OWNER_DIED, FUTEX_WAITERS
constexpr u32 kOwnerMask = 0x3fff'ffff, kOwnerDied = 0x4000'0000, kHasWaiters = 0x8000'0000;
constexpr u32 kWaitersMost = 128;                        // FUTEX_WAITV_MAX
constexpr u32 kWaiterSize32 = 2, kWaiterPrivate = 0x80;  // FUTEX2_SIZE_U32, FUTEX2_PRIVATE

/// struct futex_waitv.
struct Waiter {
  u64 value, address;
  u32 flags, reserved;
};

/// The word of a futex, or -EINVAL, -EFAULT.
i64 load(Call& call, u64 address, u32& value) {
  if (address % 4 != 0) return -EINVAL;
  return call.space().read_value(address, value) ? 0 : -EFAULT;
}

/// When a wait ends by itself; `clock` of no meaning without a deadline.
struct Timeout {
  u64 clock = kClockMonotonic;
  const TimeValue* deadline = nullptr;
};

/// Alone: the time-out, if any, decides.
i64 wait_alone(Call& call, const Timeout& timeout) {
  const i64 result = timeout.deadline != nullptr ? sleep_until(call, timeout.clock, *timeout.deadline)
                                                 : sleep_until_signal(call);
  return result == 0 ? -ETIMEDOUT : result;
}

/// Waits on every one of `waiters`: the index of the one that was woken, -ETIMEDOUT or -EINTR.
i64 wait_on(Call& call, std::span<FutexWaiter> waiters, const Timeout& timeout) {
  if (is_shared_futex(call.process, waiters.front().address))
    return wait_on_shared(call, waiters.front(), timeout.clock, timeout.deadline);
  if (call.process.scheduler.alone()) return wait_alone(call, timeout);
  FutexTable& table = *call.process.futexes;
  for (FutexWaiter& waiter : waiters) {
    waiter.task = &call.task;
    table.add(waiter);
  }
  Wait wait;
  if (timeout.deadline != nullptr) {
    wait.timed = true;
    wait.deadline_ns = monotonic_deadline_ns(call, timeout.clock, *timeout.deadline);
  }
  call.process.scheduler.block(wait);
  i64 result = wait.timed_out ? -ETIMEDOUT : -EINTR;
  for (std::size_t i = waiters.size(); i-- > 0;) {
    if (!waiters[i].queued) result = static_cast<i64>(i);
    table.remove(waiters[i]);
  }
  return result;
}

/// Takes a waiter off its futex and lets its task go on.
void wake(Process& process, FutexWaiter& waiter) {
  process.futexes->remove(waiter);
  process.scheduler.wake(*waiter.task);
}

/// Wakes at most `count` of those that wait at `address` for one of `bitset`: how many, or -EINVAL if they
/// wait for a PI lock.
i64 wake_waiters(Process& process, u64 address, i64 count, u32 bitset) {
  i64 woken = 0;
  for (FutexWaiter* waiter = process.futexes->first(address); waiter != nullptr;) {
    FutexWaiter* const next = waiter->after;
    if (waiter->for_lock) return -EINVAL;
    if ((waiter->bitset & bitset) != 0) {
      wake(process, *waiter);
      if (++woken >= count) break;
    }
    waiter = next;
  }
  if (woken < std::max<i64>(count, 1) && is_shared_futex(process, address))
    woken += wake_others_on_shared(process, address, std::max<i64>(count, 1) - woken, bitset);
  return woken;
}

/// FUTEX_REQUEUE: wakes some and moves some more to another futex; how many of both.
i64 requeue(Call& call, u64 from, u64 to) {
  const auto wakes = static_cast<i32>(call.args[2]), moves = static_cast<i32>(call.args[3]);
  if ((from | to) % 4 != 0 || wakes < 0 || moves < 0) return -EINVAL;
  FutexTable& table = *call.process.futexes;
  i64 done = 0;
  for (FutexWaiter* waiter = table.first(from); waiter != nullptr && done < i64{wakes} + moves; ++done) {
    FutexWaiter* const next = waiter->after;
    if (waiter->for_lock) return -EINVAL;
    if (done < wakes) {
      wake(call.process, *waiter);
    } else if (from != to) {
      table.remove(*waiter);
      waiter->address = to;
      table.add(*waiter);
    }
    waiter = next;
  }
  return done;
}

/// futex_wait of the kernel: checks the word, then sleeps to `deadline`. A timed wait that no handler ends
/// goes on to the same deadline through restart_syscall.
i64 wait_for_value(Call& call, u64 clock, const TimeValue* deadline, u32 bitset) {
  u32 value = 0;
  if (const i64 error = load(call, call.args[0], value); error != 0) return error;
  if (value != static_cast<u32>(call.args[2])) return -EAGAIN;
  FutexWaiter waiter{.address = call.args[0], .bitset = bitset};
  const i64 result = wait_on(call, {&waiter, 1}, {clock, deadline});
  if (result != -EINTR) return result;
  if (deadline == nullptr) return restart_result(RestartRule::if_sa_restart);
  RestartBlock& restart = call.task.restart;
  restart = {};
  restart.number = __NR_futex;
  restart.args = call.args;
  restart.args[3] = clock;
  restart.deadline_seconds = static_cast<u64>(deadline->seconds);
  restart.deadline_nanoseconds = static_cast<u64>(deadline->nanoseconds);
  return restart_result(RestartRule::block);
}

/// FUTEX_WAIT's time-out is relative, FUTEX_WAIT_BITSET's absolute.
i64 futex_wait(Call& call, u32 operation, bool realtime) {
  const bool absolute = operation == kWaitBitset;
  const u32 bitset = absolute ? static_cast<u32>(call.args[5]) : ~u32{0};
  if (bitset == 0) return -EINVAL;
  if (call.args[3] == 0) return wait_for_value(call, kClockMonotonic, nullptr, bitset);
  TimeValue timeout;
  if (!call.space().read_value(call.args[3], timeout)) return -EFAULT;
  if (!timeout.valid()) return -EINVAL;
  const u64 clock = realtime ? kClockRealtime : kClockMonotonic;
  const TimeValue deadline = absolute ? timeout : host_clock(call, clock).plus(timeout);
  return wait_for_value(call, clock, &deadline, bitset);
}

i32 sign_extend_12(u32 value) { return static_cast<i32>(value << 20) >> 20; }

bool compares(u32 comparison, i32 old, i32 with) {
  switch (comparison) {
    case 0:
      return old == with;
    case 1:
      return old != with;
    case 2:
      return old < with;
    case 3:
      return old <= with;
    case 4:
      return old > with;
    default:
      return old >= with;
  }
}

/// FUTEX_WAKE_OP: changes the second word as its encoded operation says (futex_atomic_op_inuser), wakes at
/// the first, and at the second if its old value compares.
i64 wake_op(Call& call) {
  const auto encoded = static_cast<u32>(call.args[5]);
  const u32 kind = (encoded >> 28) & 7;
  const u32 comparison = (encoded >> 24) & 15;
  auto operand = static_cast<u32>(sign_extend_12((encoded >> 12) & 0xfff));
  if ((encoded >> 31) != 0) operand = u32{1} << (operand & 31);
  u32 old = 0;
  if (call.args[0] % 4 != 0) return -EINVAL;
  if (const i64 error = load(call, call.args[4], old); error != 0) return error;
  u32 changed = old;
  switch (kind) {
    case 0:
      changed = operand;
      break;
    case 1:
      changed = old + operand;
      break;
    case 2:
      changed = old | operand;
      break;
    case 3:
      changed = old & ~operand;
      break;
    case 4:
      changed = old ^ operand;
      break;
    default:
      return -ENOSYS;
  }
  if (!call.space().write_value(call.args[4], changed)) return -EFAULT;
  if (comparison > 5) return -ENOSYS;
  const i64 woken = wake_waiters(call.process, call.args[0], static_cast<i32>(call.args[2]), ~u32{0});
  if (woken < 0 || !compares(comparison, static_cast<i32>(old), sign_extend_12(encoded & 0xfff)))
    return woken;
  const i64 more = wake_waiters(call.process, call.args[4], static_cast<i32>(call.args[3]), ~u32{0});
  return more < 0 ? more : woken + more;
}

/// Takes a PI lock, or waits to be given it.
i64 lock_pi(Call& call, bool only_try, const Timeout& timeout) {
  u32 word = 0;
  if (const i64 error = load(call, call.args[0], word); error != 0) return error;
  const auto own = static_cast<u32>(call.task.id.value);
  const u32 owner = word & kOwnerMask;
  if (owner == own) return -EDEADLK;
  if (owner == 0 || (word & kOwnerDied) != 0) {
    const u32 locked = (word & kHasWaiters) | own | (word & kOwnerDied);
    return call.space().write_value(call.args[0], locked) ? 0 : -EFAULT;
  }
  const Task* const holder = call.process.find_task(TaskId{static_cast<i32>(owner)});
  if (holder == nullptr || holder->ended()) return only_try ? -EAGAIN : -ESRCH;
  if (only_try) return -EAGAIN;
  if (!call.space().write_value(call.args[0], word | kHasWaiters)) return -EFAULT;
  FutexWaiter waiter{.address = call.args[0], .for_lock = true};
  const i64 result = wait_on(call, {&waiter, 1}, timeout);
  return result == -EINTR ? restart_result(RestartRule::always) : result;
}

/// FUTEX_LOCK_PI's time-out is absolute, on CLOCK_REALTIME; FUTEX_LOCK_PI2's on CLOCK_MONOTONIC by default.
i64 lock_pi_until(Call& call, u64 clock) {
  if (call.args[3] == 0) return lock_pi(call, false, {});
  TimeValue deadline;
  if (!call.space().read_value(call.args[3], deadline)) return -EFAULT;
  if (!deadline.valid()) return -EINVAL;
  return lock_pi(call, false, {clock, &deadline});
}

/// Gives a PI lock to the task that has waited longest, or to nobody. `marks` are kept in the word.
bool pass_on(Process& process, u64 address, u32 marks) {
  FutexWaiter* const heir = process.futexes->first(address);
  if (heir == nullptr || !heir->for_lock) return process.space().write_value(address, marks);
  const u32 word =
      static_cast<u32>(heir->task->id.value) | marks | (heir->after != nullptr ? kHasWaiters : 0);
  wake(process, *heir);
  return process.space().write_value(address, word);
}

i64 unlock_pi(Call& call) {
  u32 word = 0;
  if (const i64 error = load(call, call.args[0], word); error != 0) return error;
  if ((word & kOwnerMask) != static_cast<u32>(call.task.id.value)) return -EPERM;
  return pass_on(call.process, call.args[0], 0) ? 0 : -EFAULT;
}

i64 compare(Call& call) {
  u32 word = 0;
  if (call.args[4] % 4 != 0) return -EINVAL;
  if (const i64 error = load(call, call.args[0], word); error != 0) return error;
  return word == static_cast<u32>(call.args[5]) ? 0 : -EAGAIN;
}

}  // namespace

i64 resume_futex_wait(Call& call, const RestartBlock& block) {
  Call again{call.process, call.task, call.row, block.args};
  const TimeValue deadline{static_cast<i64>(block.deadline_seconds),
                           static_cast<i64>(block.deadline_nanoseconds)};
  const bool has_bitset = (static_cast<u32>(block.args[1]) & 0x7f) == kWaitBitset;
  return wait_for_value(again, block.args[3], &deadline,
                        has_bitset ? static_cast<u32>(block.args[5]) : ~u32{0});
}

i64 sys_futex(Call& call) {
  const auto command = static_cast<u32>(call.args[1]);
  const u32 operation = command & ~(kPrivateFlag | kClockRealtimeFlag);
  const bool realtime = (command & kClockRealtimeFlag) != 0;
  switch (operation) {
    case kWait:
    case kWaitBitset:
      return futex_wait(call, operation, realtime);
    case kWakeBitset:
      if (static_cast<u32>(call.args[5]) == 0) return -EINVAL;
      [[fallthrough]];
    case kWake:
      if (call.args[0] % 4 != 0) return -EINVAL;
      return wake_waiters(call.process, call.args[0], static_cast<i32>(call.args[2]),
                          operation == kWakeBitset ? static_cast<u32>(call.args[5]) : ~u32{0});
    case kRequeue:
      return requeue(call, call.args[0], call.args[4]);
    case kCompareRequeue: {
      const i64 differs = compare(call);
      return differs != 0 ? differs : requeue(call, call.args[0], call.args[4]);
    }
    case kCompareRequeuePi:
      return compare(call);
    case kWakeOp:
      return wake_op(call);
    case kLockPi:
      return lock_pi_until(call, kClockRealtime);
    case kLockPi2:
      return lock_pi_until(call, realtime ? kClockRealtime : kClockMonotonic);
    case kTryLockPi:
      return lock_pi(call, true, {});
    case kUnlockPi:
      return unlock_pi(call);
    default:
      return -ENOSYS;
  }
}

namespace {

/// futex2_to_flags and futex_flags_valid: words of 32 bits, shared or private, on any node.
bool are_valid_flags(u64 flags) { return (static_cast<u32>(flags) & ~kWaiterPrivate) == kWaiterSize32; }

}  // namespace

i64 sys_futex_wake(Call& call) {
  const bool no_bits = static_cast<u32>(call.args[1]) == 0;
  if (!are_valid_flags(call.args[3]) || no_bits || call.args[0] % 4 != 0) return -EINVAL;
  return wake_waiters(call.process, call.args[0], static_cast<i32>(call.args[2]),
                      static_cast<u32>(call.args[1]));
}

/// futex_wait of Linux 6.7: a mask, and an absolute time-out on a clock of the caller's choice.
i64 sys_futex_wait(Call& call) {
  const u64 clock = static_cast<u32>(call.args[5]);
  if (!are_valid_flags(call.args[3])) return -EINVAL;
  if (call.args[1] > ~u32{0} || call.args[2] > ~u32{0}) return -EINVAL;
  TimeValue deadline;
  const bool timed = call.args[4] != 0;
  if (timed && clock != kClockRealtime && clock != kClockMonotonic) return -EINVAL;
  if (timed && !call.space().read_value(call.args[4], deadline)) return -EFAULT;
  if (timed && !deadline.valid()) return -EINVAL;
  if (call.args[2] == 0) return -EINVAL;
  u32 value = 0;
  if (const i64 error = load(call, call.args[0], value); error != 0) return error;
  if (value != static_cast<u32>(call.args[1])) return -EAGAIN;
  FutexWaiter waiter{.address = call.args[0], .bitset = static_cast<u32>(call.args[2])};
  const i64 result = wait_on(call, {&waiter, 1}, {clock, timed ? &deadline : nullptr});
  return result == -EINTR ? restart_result(RestartRule::if_sa_restart) : result;
}

/// Two waiters' descriptions: from, whose value must hold, and to.
i64 sys_futex_requeue(Call& call) {
  Waiter waiters[2];
  if (static_cast<u32>(call.args[1]) != 0 || call.args[0] == 0) return -EINVAL;
  if (!call.space().read_value(call.args[0], waiters)) return -EFAULT;
  for (const Waiter& waiter : waiters)
    if (!are_valid_flags(waiter.flags) || waiter.reserved != 0) return -EINVAL;
  if (static_cast<i32>(call.args[2]) < 0 || static_cast<i32>(call.args[3]) < 0) return -EINVAL;
  if (waiters[0].address % 4 != 0 || waiters[1].address % 4 != 0) return -EINVAL;
  u32 value = 0;
  if (const i64 error = load(call, waiters[0].address, value); error != 0) return error;
  if (value != static_cast<u32>(waiters[0].value)) return -EAGAIN;
  return requeue(call, waiters[0].address, waiters[1].address);
}

i64 sys_futex_waitv(Call& call) {
  const auto count = static_cast<u32>(call.args[1]);
  if (static_cast<u32>(call.args[2]) != 0 || count == 0 || count > kWaitersMost || call.args[0] == 0)
    return -EINVAL;
  TimeValue deadline;
  const bool timed = call.args[3] != 0;
  const u64 clock = static_cast<u32>(call.args[4]);
  std::vector<FutexWaiter> waiters;
  if (timed && clock != kClockRealtime && clock != kClockMonotonic) return -EINVAL;
  if (timed && !call.space().read_value(call.args[3], deadline)) return -EFAULT;
  if (timed && !deadline.valid()) return -EINVAL;
  for (u64 i = 0; i < count; ++i) {
    Waiter waiter;
    if (!call.space().read_value(call.args[0] + i * sizeof waiter, waiter)) return -EFAULT;
    if (!are_valid_flags(waiter.flags) || waiter.reserved != 0) return -EINVAL;
    u32 value = 0;
    if (const i64 error = load(call, waiter.address, value); error != 0) return error;
    if (value != static_cast<u32>(waiter.value)) return -EAGAIN;
    waiters.push_back({.address = waiter.address});
  }
  const i64 result = wait_on(call, waiters, {clock, timed ? &deadline : nullptr});
  return result == -EINTR ? restart_result(RestartRule::if_sa_restart) : result;
}

namespace {

constexpr int kRobustEntriesMost = 2048;  // ROBUST_LIST_LIMIT

/// handle_futex_death: the lock's owner is gone.
void mark_dead_owner(Call& call, u64 address, bool is_pi) {
  u32 word = 0;
  if (address % 4 != 0 || !call.space().read_value(address, word)) return;
  if ((word & kOwnerMask) != static_cast<u32>(call.task.id.value)) return;
  if (is_pi) return (void)pass_on(call.process, address, kOwnerDied);
  if (!call.space().write_value(address, (word & kHasWaiters) | kOwnerDied)) return;
  if ((word & kHasWaiters) != 0) (void)wake_waiters(call.process, address, 1, ~u32{0});
}

/// exit_robust_list: entries are linked through their own first word, whose lowest bit says "PI".
void walk_robust_list(Call& call) {
  struct Head {
    u64 next;
    i64 futex_offset;
    u64 pending;
  };
  const u64 head_at = call.task.robust_list.head;
  Head head;
  if (head_at == 0 || !call.space().read_value(head_at, head)) return;
  u64 entry = head.next;
  for (int count = 0; (entry & ~u64{1}) != head_at && count < kRobustEntriesMost; ++count) {
    u64 next = 0;
    const bool more = call.space().read_value(entry & ~u64{1}, next);
    if (entry != head.pending)
      mark_dead_owner(call, (entry & ~u64{1}) + static_cast<u64>(head.futex_offset), (entry & 1) != 0);
    if (!more) return;
    entry = next;
  }
  if (head.pending != 0)
    mark_dead_owner(call, (head.pending & ~u64{1}) + static_cast<u64>(head.futex_offset),
                    (head.pending & 1) != 0);
}

}  // namespace

void release_futexes(Call& call) {
  walk_robust_list(call);
  const u64 address = call.task.clear_child_tid;
  if (address == 0 || call.process.scheduler.only_task()) return;
  if (call.space().write_value(address, u32{0})) (void)wake_waiters(call.process, address, 1, ~u32{0});
}

}  // namespace orrery::kernel
