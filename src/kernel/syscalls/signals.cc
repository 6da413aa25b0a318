// The signal calls. Signals to the process itself are queued here; those to others are the host's affair.
// Waiting is done by the host too, one pause or sleep at a time, until the guest's own rules say that a
// signal is there: what wakes the host may be blocked or ignored by the guest.
#include <asm/unistd.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>

#include "kernel/companion.h"
#include "kernel/dispatch.h"
#include "kernel/forward.h"
#include "kernel/restart.h"
#include "kernel/signal.h"
#include "kernel/signal_frame.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

constexpr u64 kSetBytes = sizeof(SignalSet);
/// UAPI_SA_FLAGS: all that is remembered of sa_flags.
constexpr u64 kKnownFlags = 0xdc00'0807;

bool valid_signal(int number) { return number >= 0 && number <= kSignalCount; }
bool is_self(const Call& call, int pid) { return pid == call.process.id.value; }
/// A signal the host holds for a signalfd must be sent through the host.
bool is_held(const Call& call, int number) {
  return number >= 1 && number <= kSignalCount && contains(call.process.held_signals, number);
}

SignalInfo info_from_self(const Call& call, int number, int code) {
  return SignalInfo::from_sender(number, code, call.process.id.value, call.process.credentials.uid);
}

/// Sleeps until any signal arrives (among other tasks: one to be delivered, or of `wanted`), and takes what
/// arrived.
i64 wait_for_any_signal(Call& call, SignalSet wanted) {
  if (!call.process.scheduler.alone()) {
    Wait wait;
    wait.signals = wanted;
    return wait_among_others(call, wait);
  }
  host::HostCall pause;
  pause.number = __NR_pause;
  const i64 result = call.host().call(pause);
  collect_host_signals(call.process);
  return result;
}

/// 0 when the deadline, of CLOCK_MONOTONIC, has passed; -EINTR when a signal arrived before.
i64 wait_for_any_signal_until(Call& call, SignalSet wanted, const TimeValue& deadline) {
  if (!call.process.scheduler.alone()) {
    Wait wait;
    wait.signals = wanted;
    wait.timed = true;
    wait.deadline_ns = deadline.total_nanoseconds();
    return wait_among_others(call, wait);
  }
  host::HostCall sleep;
  sleep.number = __NR_clock_nanosleep;
  sleep.args = {kClockMonotonic, kTimerAbsolute, reinterpret_cast<u64>(&deadline), 0};
  sleep.checked_args = 0b1011;
  sleep.in.add({reinterpret_cast<u64>(&deadline), sizeof deadline});
  const i64 result = call.host().call(sleep);
  collect_host_signals(call.process);
  return result;
}

/// The shared end of pause and sigsuspend.
i64 wait_for_deliverable(Call& call) {
  while (true) {
    collect_host_signals(call.process);
    if (deliverable_signals(call.task) != 0) return restart_result(RestartRule::no_handler);
    if (const i64 result = wait_for_any_signal(call, 0); result != -EINTR) return result;
  }
}

/// known_siginfo_layout: codes whose siginfo the kernel knows the members of.
bool layout_is_known(int number, i32 code) {
  struct Codes {
    int number;
    i32 most;
  };
  static constexpr Codes kCodes[] = {{SIGILL, 11}, {SIGFPE, 15}, {SIGSEGV, 10}, {SIGBUS, 5},
                                     {SIGTRAP, 6}, {SIGCHLD, 6}, {SIGPOLL, 6},  {SIGSYS, 2}};
  constexpr i32 kLeastKernelCode = -7 /* SI_DETHREAD */, kPollCodesMost = 6;
  if (code == SI_KERNEL || code == SI_ASYNCNL) return true;
  if (code <= SI_USER) return code >= kLeastKernelCode;
  for (const Codes& codes : kCodes)
    if (codes.number == number) return code <= codes.most;
  return code <= kPollCodesMost;
}

/// copy_siginfo_from_user: the kernel keeps the first 48 bytes. What follows must be zero if it does not know
/// the layout, and is forgotten if it does.
i64 read_info(Call& call, u64 address, int number, SignalInfo& info) {
  constexpr std::size_t kBytesKept = 48, kHeaderBytes = offsetof(SignalInfo, fields);
  if (!call.space().read_value(address, info)) return -EFAULT;
  info.number = number;
  const std::span<u8> rest = std::span(info.fields).subspan(kBytesKept - kHeaderBytes);
  const bool zero = std::all_of(rest.begin(), rest.end(), [](u8 byte) { return byte == 0; });
  if (!zero && !layout_is_known(number, info.code)) return -E2BIG;
  std::fill(rest.begin(), rest.end(), u8{0});
  return 0;
}

/// Another process that lives in the same host process.
Process* other_here(Call& call, int pid) {
  if (call.process.lender == nullptr && call.process.companions.empty()) return nullptr;
  Process* const found = find_process_here(call.process, pid);
  return found == &call.process ? nullptr : found;
}

/// Sends to a companion or the lender, or to one task of it.
i64 send_here(Process& target, Task* task, const SignalInfo& info) {
  if (!valid_signal(info.number)) return -EINVAL;
  if (info.number == 0 || target.exit) return 0;
  if (task != nullptr)
    send_to_task(*task, info);
  else
    send_to_process(target, info);
  return 0;
}

i64 queue_to_self(Call& call, Task* task, const SignalInfo& info) {
  if (!valid_signal(info.number)) return -EINVAL;
  if (info.number == 0) return 0;
  return send_to_self(call.task, task, info);
}

/// do_sigtimedwait: the number of the signal taken, or -errno. No timeout: waits for ever.
i64 wait_for_one(Call& call, SignalSet wanted, const TimeValue* timeout, SignalInfo& info) {
  bool expired = timeout != nullptr && timeout->is_zero();
  TimeValue deadline;
  collect_host_signals(call.process);
  for (bool first = true; !take_signal(call.task, wanted, info); first = false) {
    if (expired) return -EAGAIN;
    if ((deliverable_signals(call.task) & ~wanted) != 0) return -EINTR;
    if (first && timeout != nullptr) deadline = host_clock(call, kClockMonotonic).plus(*timeout);
    // The wanted ones count as blocked while the task waits: even an ignored one is kept for it.
    const SignalSet blocked = call.task.blocked;
    call.task.blocked |= wanted;
    const i64 result = timeout != nullptr ? wait_for_any_signal_until(call, wanted, deadline)
                                          : wait_for_any_signal(call, wanted);
    call.task.blocked = blocked;
    if (result != 0 && result != -EINTR) return result;
    expired = result == 0;
  }
  return info.number;
}

}  // namespace

i64 sys_rt_sigaction(Call& call) {
  const int number = call.fd(0);
  if (call.args[3] != kSetBytes) return -EINVAL;
  SignalAction wanted;
  const bool sets = call.args[1] != 0;
  if (sets && !call.space().read_value(call.args[1], wanted)) return -EFAULT;
  if (number < 1 || number > kSignalCount || (sets && contains(kUnblockable, number))) return -EINVAL;
  SignalAction& action = call.process.action(number);
  const SignalAction before = action;
  if (sets) {
    action = {wanted.handler, wanted.flags & kKnownFlags, wanted.restorer, wanted.mask & ~kUnblockable};
    if (handler_ignores(call.process, number)) {
      call.process.pending.discard(signal_bit(number));
      for (const auto& task : call.process.tasks) task->pending.discard(signal_bit(number));
    }
    if (action.handler != before.handler) actions_changed(call.task);
  }
  if (call.args[2] != 0 && !call.space().write_value(call.args[2], before)) return -EFAULT;
  return 0;
}

i64 sys_rt_sigprocmask(Call& call) {
  if (call.args[3] != kSetBytes) return -EINVAL;
  const SignalSet before = call.task.blocked;
  if (call.args[1] != 0) {
    SignalSet set = 0;
    if (!call.space().read_value(call.args[1], set)) return -EFAULT;
    switch (call.fd(0)) {
      case SIG_BLOCK:
        set_blocked(call.task, before | set);
        break;
      case SIG_UNBLOCK:
        set_blocked(call.task, before & ~set);
        break;
      case SIG_SETMASK:
        set_blocked(call.task, set);
        break;
      default:
        return -EINVAL;
    }
  }
  if (call.args[2] != 0 && !call.space().write_value(call.args[2], before)) return -EFAULT;
  return 0;
}

i64 sys_rt_sigreturn(Call& call) {
  if (!leave_handler(call.task)) force_signal(call.task, SIGSEGV);
  call.task.call.number = -1;
  call.task.call.replaced = true;
  return 0;
}

i64 sys_rt_sigpending(Call& call) {
  const u64 size = call.args[1];
  if (size > kSetBytes) return -EINVAL;
  const SignalSet set = (pending_signals(call.task) | pending_on_host(call.task)) & call.task.blocked;
  const std::span<const u8> bytes(reinterpret_cast<const u8*>(&set), size);
  return call.space().write(call.args[0], bytes) ? 0 : -EFAULT;
}

i64 sys_rt_sigtimedwait(Call& call) {
  if (call.args[3] != kSetBytes) return -EINVAL;
  SignalSet wanted = 0;
  TimeValue timeout;
  const bool timed = call.args[2] != 0;
  if (!call.space().read_value(call.args[0], wanted)) return -EFAULT;
  if (timed && !call.space().read_value(call.args[2], timeout)) return -EFAULT;
  if (timed && !timeout.valid()) return -EINVAL;
  wanted &= ~kUnblockable;

  SignalInfo info;
  hold_signals(call.task, wanted);
  const i64 number = wait_for_one(call, wanted, timed ? &timeout : nullptr, info);
  hold_signals(call.task);
  if (number < 0) return number;
  if (call.args[1] != 0 && !call.space().write_value(call.args[1], info)) return -EFAULT;
  return number;
}

i64 sys_rt_sigsuspend(Call& call) {
  if (call.args[1] != kSetBytes) return -EINVAL;
  SignalSet mask = 0;
  if (!call.space().read_value(call.args[0], mask)) return -EFAULT;
  call.task.saved_mask = call.task.blocked;
  set_blocked(call.task, mask);
  return wait_for_deliverable(call);
}

i64 sys_pause(Call& call) { return wait_for_deliverable(call); }

i64 sys_sigaltstack(Call& call) {
  struct UserStack {
    u64 address;
    u32 flags;
    u32 padding;
    u64 size_bytes;
  };
  const u64 sp = call.task.cpu.regs[cpu::Gpr::rsp];
  const AltStack before = call.task.altstack;
  constexpr u32 kAutodisarm = 0x8000'0000;
  const u32 shown = altstack_state(before, sp) | (before.flags & kAutodisarm);
  if (call.args[0] != 0) {
    UserStack wanted;
    if (!call.space().read_value(call.args[0], wanted)) return -EFAULT;
    const i64 error = set_altstack(call.task, {wanted.address, wanted.size_bytes, wanted.flags}, sp);
    if (error < 0) return error;
  }
  const UserStack old{before.address, shown, 0, before.size_bytes};
  if (call.args[1] != 0 && !call.space().write_value(call.args[1], old)) return -EFAULT;
  return 0;
}

i64 sys_kill(Call& call) {
  if (Process* const other = other_here(call, call.fd(0)); other != nullptr)
    return send_here(*other, nullptr, info_from_self(call, call.fd(1), SI_USER));
  if (call.fd(0) <= 0 && call.fd(1) == SIGSTOP) {  // its group, and itself: others have their turns meanwhile
    call.process.scheduler.give_turn();
    const i64 result = forward(call);
    call.process.scheduler.take_turn();
    return result;
  }
  if (!is_self(call, call.fd(0)) || is_held(call, call.fd(1))) return forward(call);
  return queue_to_self(call, nullptr, info_from_self(call, call.fd(1), SI_USER));
}

i64 sys_tkill(Call& call) {
  if (call.fd(0) <= 0) return -EINVAL;
  Task* task = find_task_here(call.process, call.fd(0));
  if (task != nullptr && &task->process != &call.process)
    return send_here(task->process, task, info_from_self(call, call.fd(1), SI_TKILL));
  if (task == nullptr || is_held(call, call.fd(1))) return forward(call);
  return queue_to_self(call, task, info_from_self(call, call.fd(1), SI_TKILL));
}

i64 sys_tgkill(Call& call) {
  if (call.fd(0) <= 0 || call.fd(1) <= 0) return -EINVAL;
  if (Process* const other = other_here(call, call.fd(0)); other != nullptr) {
    Task* const task = other->find_task(TaskId{call.fd(1)});
    return task == nullptr ? -ESRCH : send_here(*other, task, info_from_self(call, call.fd(2), SI_TKILL));
  }
  if (!is_self(call, call.fd(0)) || is_held(call, call.fd(2))) return forward(call);
  Task* task = call.process.find_task(TaskId{call.fd(1)});
  if (task == nullptr) return -ESRCH;
  return queue_to_self(call, task, info_from_self(call, call.fd(2), SI_TKILL));
}

i64 sys_rt_sigqueueinfo(Call& call) {
  if (!is_self(call, call.fd(0)) || is_held(call, call.fd(1))) return forward(call);
  SignalInfo info;
  if (const i64 error = read_info(call, call.args[2], call.fd(1), info); error < 0) return error;
  return queue_to_self(call, nullptr, info);
}

i64 sys_rt_tgsigqueueinfo(Call& call) {
  if (call.fd(0) <= 0 || call.fd(1) <= 0) return -EINVAL;
  if (!is_self(call, call.fd(0)) || is_held(call, call.fd(2))) return forward(call);
  SignalInfo info;
  if (const i64 error = read_info(call, call.args[3], call.fd(2), info); error < 0) return error;
  Task* task = call.process.find_task(TaskId{call.fd(1)});
  if (task == nullptr) return -ESRCH;
  return queue_to_self(call, task, info);
}

/// The host finds out whom the descriptor means; a signal to ourselves comes back through the door.
i64 sys_pidfd_send_signal(Call& call) { return forward(call); }

i64 sys_signalfd(Call& call) {
  SignalSet mask = 0;
  const bool readable = call.space().read_value(call.args[1], mask);
  const i64 result = forward(call);
  if (result >= 0 && readable) {
    call.process.signalfd_mask |= mask & ~kUnblockable;
    hold_signals(call.task);
  }
  return result;
}
i64 sys_signalfd4(Call& call) { return sys_signalfd(call); }

}  // namespace orrery::kernel
