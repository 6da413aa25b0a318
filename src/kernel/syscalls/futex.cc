// Futexes of a process with one task. Nobody in the machine can wake a wait, so a wait whose value matches
// sleeps until its time-out or a signal; a wake finds nobody. What an operation checks before, and what it
// does to memory (FUTEX_WAKE_OP, the PI locks), is done as kernel/futex/*.c does it.
#include <asm/unistd.h>

#include <cerrno>

#include "kernel/restart.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/sleep.h"
#include "kernel/syscalls/time_values.h"

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
constexpr u32 kOwnerMask = 0x3fff'ffff, kOwnerDied = 0x4000'0000;  // FUTEX_TID_MASK, FUTEX_OWNER_DIED
constexpr u32 kWaitersMost = 128;                                  // FUTEX_WAITV_MAX
constexpr u32 kWaiterSize32 = 2, kWaiterPrivate = 0x80;            // FUTEX2_SIZE_U32, FUTEX2_PRIVATE

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

/// Nobody will wake us: the time-out, if any, decides.
i64 wait(Call& call, bool timed, u64 clock, const TimeValue& deadline, RestartRule rule) {
  const i64 result = timed ? sleep_until(call, clock, deadline) : sleep_until_signal(call);
  if (result == 0) return -ETIMEDOUT;
  return result == -EINTR ? restart_result(rule) : result;
}

/// futex_wait of the kernel: checks the word, then sleeps to `deadline`. A timed wait that no handler ends
/// goes on to the same deadline through restart_syscall.
i64 wait_for_value(Call& call, u64 clock, const TimeValue* deadline) {
  u32 value = 0;
  if (const i64 error = load(call, call.args[0], value); error != 0) return error;
  if (value != static_cast<u32>(call.args[2])) return -EAGAIN;
  if (deadline == nullptr) return wait(call, false, clock, {}, RestartRule::if_sa_restart);
  const i64 result = wait(call, true, clock, *deadline, RestartRule::block);
  if (result == restart_result(RestartRule::block)) {
    RestartBlock& restart = call.task.restart;
    restart = {};
    restart.number = __NR_futex;
    restart.args = call.args;
    restart.args[3] = clock;
    restart.deadline_seconds = static_cast<u64>(deadline->seconds);
    restart.deadline_nanoseconds = static_cast<u64>(deadline->nanoseconds);
  }
  return result;
}

/// FUTEX_WAIT's time-out is relative, FUTEX_WAIT_BITSET's absolute.
i64 futex_wait(Call& call, u32 operation, bool realtime) {
  const bool absolute = operation == kWaitBitset;
  if (absolute && static_cast<u32>(call.args[5]) == 0) return -EINVAL;
  if (call.args[3] == 0) return wait_for_value(call, kClockMonotonic, nullptr);
  TimeValue timeout;
  if (!call.space().read_value(call.args[3], timeout)) return -EFAULT;
  if (!timeout.valid()) return -EINVAL;
  const u64 clock = realtime ? kClockRealtime : kClockMonotonic;
  const TimeValue deadline = absolute ? timeout : host_clock(call, clock).plus(timeout);
  return wait_for_value(call, clock, &deadline);
}

i32 sign_extend_12(u32 value) { return static_cast<i32>(value << 20) >> 20; }

/// FUTEX_WAKE_OP: changes the second word as its encoded operation says (futex_atomic_op_inuser).
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
  return comparison <= 5 ? 0 : -ENOSYS;
}

i64 lock_pi(Call& call, bool only_try) {
  u32 word = 0;
  if (const i64 error = load(call, call.args[0], word); error != 0) return error;
  const auto own = static_cast<u32>(call.task.id.value);
  const u32 owner = word & kOwnerMask;
  if (owner == own) return -EDEADLK;
  if (owner != 0 && (word & kOwnerDied) == 0) return only_try ? -EAGAIN : -ESRCH;
  const u32 locked = (word & ~kOwnerMask & ~kOwnerDied) | own | (word & kOwnerDied);
  return call.space().write_value(call.args[0], locked) ? 0 : -EFAULT;
}

i64 unlock_pi(Call& call) {
  u32 word = 0;
  if (const i64 error = load(call, call.args[0], word); error != 0) return error;
  if ((word & kOwnerMask) != static_cast<u32>(call.task.id.value)) return -EPERM;
  return call.space().write_value(call.args[0], u32{0}) ? 0 : -EFAULT;
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
  return wait_for_value(again, block.args[3], &deadline);
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
      return call.args[0] % 4 != 0 ? -EINVAL : 0;
    case kRequeue:
      return (call.args[0] | call.args[4]) % 4 != 0 ? -EINVAL : 0;
    case kCompareRequeue:
    case kCompareRequeuePi:
      return compare(call);
    case kWakeOp:
      return wake_op(call);
    case kLockPi:
    case kLockPi2:
      return lock_pi(call, false);
    case kTryLockPi:
      return lock_pi(call, true);
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
  return !are_valid_flags(call.args[3]) || no_bits || call.args[0] % 4 != 0 ? -EINVAL : 0;
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
  return wait(call, timed, clock, deadline, RestartRule::if_sa_restart);
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
  return value == static_cast<u32>(waiters[0].value) ? 0 : -EAGAIN;
}

i64 sys_futex_waitv(Call& call) {
  const auto count = static_cast<u32>(call.args[1]);
  if (static_cast<u32>(call.args[2]) != 0 || count == 0 || count > kWaitersMost || call.args[0] == 0)
    return -EINVAL;
  TimeValue deadline;
  const bool timed = call.args[3] != 0;
  const u64 clock = static_cast<u32>(call.args[4]);
  if (timed && clock != kClockRealtime && clock != kClockMonotonic) return -EINVAL;
  if (timed && !call.space().read_value(call.args[3], deadline)) return -EFAULT;
  if (timed && !deadline.valid()) return -EINVAL;
  for (u64 i = 0; i < count; ++i) {
    Waiter waiter;
    if (!call.space().read_value(call.args[0] + i * sizeof waiter, waiter)) return -EFAULT;
    if ((waiter.flags & ~kWaiterPrivate) != kWaiterSize32 || waiter.reserved != 0) return -EINVAL;
    u32 value = 0;
    if (const i64 error = load(call, waiter.address, value); error != 0) return error;
    if (value != static_cast<u32>(waiter.value)) return -EAGAIN;
  }
  return wait(call, timed, clock, deadline, RestartRule::if_sa_restart);
}

}  // namespace orrery::kernel
