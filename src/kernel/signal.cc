// From arrival to delivery, in the order of kernel/signal.c: a signal that nobody wants is thrown away on
// arrival; stop and continue signals cancel each other; what is left waits in the task's or the process's
// queue until the task is about to run guest code again. Then deliver_signals() takes one after the other.
// Each handler's frame stacks upon the one before, so the last one taken runs first, as in the real kernel.
//
// An interrupted system call is settled exactly once, before the first frame, because the frame must hold
// the registers the handler will return to: result EINTR, or the call again.
//
// What the guest blocks or ignores, the host blocks or ignores as well, sooner or later (host/live_host.cc).
// A signalfd is the host's own, so what it is to report must stay pending there: such signals are blocked on
// the host at once, and what was queued here before moves over.
//
// Stops are carried out by the host: the signal's default action is put back for a moment and the signal
// raised, so that the process stops for everyone who watches it, and orphaned process groups are left alone.
#include "kernel/signal.h"

#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>

#include "kernel/restart.h"
#include "kernel/scheduler.h"
#include "kernel/signal_frame.h"
#include "kernel/tracing.h"

namespace orrery::kernel {
namespace {

constexpr u64 kSaRestart = 0x1000'0000, kSaNoDefer = 0x4000'0000, kSaResetHand = 0x8000'0000;
constexpr int kFirstRealTime = 32;
constexpr std::size_t kResourceSigpending = 11;
constexpr SignalSet kStopSignals =
    signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU);
constexpr SignalSet kCoreSignals = signal_bit(SIGQUIT) | signal_bit(SIGILL) | signal_bit(SIGTRAP) |
                                   signal_bit(SIGABRT) | signal_bit(SIGFPE) | signal_bit(SIGSEGV) |
                                   signal_bit(SIGBUS) | signal_bit(SIGSYS) | signal_bit(SIGXCPU) |
                                   signal_bit(SIGXFSZ);
constexpr SignalSet kIgnoredSignals = signal_bit(SIGCHLD) | signal_bit(SIGWINCH) | signal_bit(SIGURG);

/// What no task lets through.
SignalSet blocked_by_all(const Process& process) {
  SignalSet blocked = ~SignalSet{0};
  for (const auto& task : process.tasks)
    if (!task->ended()) blocked &= task->blocked;
  return blocked;
}

bool blocked_by_any(const Process& process, int number) {
  for (const auto& task : process.tasks)
    if (contains(task->blocked, number)) return true;
  return false;
}

/// prepare_signal: SIGCONT removes pending stops and the other way round, whatever their handlers.
void cancel_opposites(Process& process, int number) {
  SignalSet gone = 0;
  if (contains(kStopSignals, number)) gone = signal_bit(SIGCONT);
  if (number == SIGCONT) gone = kStopSignals;
  if (gone == 0) return;
  process.pending.discard(gone);
  for (const auto& task : process.tasks) task->pending.discard(gone);
}

void stop_process(Process& process, int number) {
  if (process.lender != nullptr)
    return process.say("a process that shares its parent's memory is not stopped by signals");
  constexpr u64 kSetBytes = 8;
  const SignalAction default_action_row;
  SignalAction engine_action;
  const auto change = [&](const SignalAction* now, SignalAction* old) {
    host::HostCall call;
    call.number = __NR_rt_sigaction;
    call.args = {static_cast<u64>(number), reinterpret_cast<u64>(now), reinterpret_cast<u64>(old), kSetBytes};
    call.checked_args = 0b1001;
    if (old != nullptr) call.out.add({.address = reinterpret_cast<u64>(old), .capacity_bytes = sizeof *old});
    process.host.call(call);
  };
  if (number != SIGSTOP) change(&default_action_row, &engine_action);
  host::HostCall kill;
  kill.number = __NR_kill;
  kill.args = {static_cast<u64>(process.id.value), static_cast<u64>(number)};
  process.scheduler.give_turn();  // others do not stop with it
  process.host.call(kill);
  process.scheduler.take_turn();
  if (number != SIGSTOP) change(&engine_action, nullptr);
}

/// arch_do_signal_or_restart and handle_signal: what an interrupted call returns, given the handler that
/// is about to run (null: none is).
void settle_call(Task& task, const SignalAction* handler) {
  if (task.call.number < 0) return;
  u64& rax = task.cpu.regs[cpu::Gpr::rax];
  const auto result = static_cast<i64>(rax);
  const auto again = [&](u64 number) {
    rax = number;
    task.cpu.regs.rip -= 2;
  };
  const auto number = static_cast<u64>(task.call.number);
  if (result == restart_result(RestartRule::block)) {
    if (handler != nullptr)
      rax = static_cast<u64>(-EINTR);
    else
      again(__NR_restart_syscall);
  } else if (result == restart_result(RestartRule::no_handler)) {
    if (handler != nullptr)
      rax = static_cast<u64>(-EINTR);
    else
      again(number);
  } else if (result == restart_result(RestartRule::if_sa_restart)) {
    if (handler != nullptr && (handler->flags & kSaRestart) == 0)
      rax = static_cast<u64>(-EINTR);
    else
      again(number);
  } else if (result == restart_result(RestartRule::always)) {
    again(number);
  }
  task.call.number = -1;
}

void move_to_host(Process& process, const SignalInfo& info) {
  host::HostCall call;
  call.number = __NR_rt_sigqueueinfo;
  call.args = {static_cast<u64>(process.id.value), static_cast<u64>(info.number),
               reinterpret_cast<u64>(&info)};
  call.checked_args = 0b011;
  call.in.add({reinterpret_cast<u64>(&info), sizeof info});
  process.host.call(call);
}

/// rseq_signal_deliver: a restartable sequence that a handler interrupts is aborted.
void abort_restartable_sequence(Task& task) {
  struct Section {
    u32 version, flags;
    u64 start, length, abort;
  };
  constexpr u64 kSectionPointer = 8;
  if (task.rseq.address == 0) return;
  memory::AddressSpace& space = task.process.space();
  u64 pointer = 0;
  Section section{};
  if (!space.read_value(task.rseq.address + kSectionPointer, pointer)) return force_signal(task, SIGSEGV);
  if (pointer == 0) return;
  if (!space.read_value(pointer, section)) return force_signal(task, SIGSEGV);
  u64& rip = task.cpu.regs.rip;
  const bool inside = rip - section.start < section.length;
  if (!space.write_value(task.rseq.address + kSectionPointer, u64{0})) return force_signal(task, SIGSEGV);
  if (!inside) return;
  u32 signature = 0;
  const bool good = section.version == 0 && section.abort - section.start >= section.length &&
                    space.read_value(section.abort - sizeof signature, signature) &&
                    signature == task.rseq.signature;
  if (!good) return force_signal(task, SIGSEGV);
  rip = section.abort;
}

void run_handler(Task& task, const SignalInfo& info) {
  SignalAction& slot = task.process.action(info.number);
  const SignalAction action = slot;
  settle_call(task, &action);
  abort_restartable_sequence(task);
  if ((action.flags & kSaResetHand) != 0) {
    slot.handler = kHandlerDefault;
    actions_changed(task);
  }
  const SignalSet mask = task.saved_mask.value_or(task.blocked);
  task.saved_mask.reset();
  if (!enter_handler(task, action, info, mask)) {
    // force_sigsegv: a SIGSEGV whose own frame fails cannot be handled any more.
    if (info.number == SIGSEGV) {
      task.process.action(SIGSEGV).handler = kHandlerDefault;
      actions_changed(task);
    }
    force_signal(task, SIGSEGV);
    return;
  }
  SignalSet blocked = task.blocked | action.mask;
  if ((action.flags & kSaNoDefer) == 0) blocked |= signal_bit(info.number);
  set_blocked(task, blocked);
}

void take_default_action(Task& task, int number) {
  Process& process = task.process;
  switch (default_action(number)) {
    case DefaultAction::ignore:
    case DefaultAction::continue_process:
      return;
    case DefaultAction::stop:
      return stop_process(process, number);
    case DefaultAction::terminate:
      return process.end({.fatal_signal = number});
    case DefaultAction::core:
      return process.end({.fatal_signal = number, .core_dumped = process.dumpable});
  }
}

}  // namespace

DefaultAction default_action(int number) {
  if (number == SIGCONT) return DefaultAction::continue_process;
  if (contains(kStopSignals, number)) return DefaultAction::stop;
  if (contains(kIgnoredSignals, number)) return DefaultAction::ignore;
  if (contains(kCoreSignals, number)) return DefaultAction::core;
  return DefaultAction::terminate;
}

bool handler_ignores(const Process& process, int number) {
  if (contains(kUnblockable, number)) return false;
  const u64 handler = process.actions[static_cast<std::size_t>(number - 1)].handler;
  if (handler == kHandlerIgnore) return true;
  return handler == kHandlerDefault && default_action(number) == DefaultAction::ignore;
}

bool ignored(const Process& process, int number) {
  return handler_ignores(process, number) && !blocked_by_any(process, number);
}

void send_to_process(Process& process, const SignalInfo& info) {
  cancel_opposites(process, info.number);
  if (ignored(process, info.number)) return;
  process.pending.add(info);
  for (const auto& task : process.tasks) process.scheduler.notice_signal(*task);
}

void send_to_task(Task& task, const SignalInfo& info) {
  cancel_opposites(task.process, info.number);
  if (handler_ignores(task.process, info.number) && !contains(task.blocked, info.number)) return;
  task.pending.add(info);
  task.process.scheduler.notice_signal(task);
}

i64 send_to_self(Task& sender, Task* target, const SignalInfo& info) {
  Process& process = sender.process;
  cancel_opposites(process, info.number);
  const bool unwanted = target != nullptr
                            ? handler_ignores(process, info.number) && !contains(target->blocked, info.number)
                            : ignored(process, info.number);
  if (unwanted) return 0;
  PendingSignals& pending = target != nullptr ? target->pending : process.pending;
  const bool real_time = info.number >= kFirstRealTime;
  const bool must_fit = !real_time && info.code >= 0;  // what kill(2) and the kernel send
  const std::size_t queued = process.pending.queued().size() + sender.pending.queued().size();
  if (must_fit || queued < process.limits[kResourceSigpending].soft) {
    pending.add(info);
  } else {
    if (real_time && info.code != SI_USER) return -EAGAIN;
    pending.add_without_info(info.number);
  }
  for (const auto& task : process.tasks) process.scheduler.notice_signal(*task);
  return 0;
}

void force_signal(Task& task, const SignalInfo& info) {
  SignalAction& action = task.process.action(info.number);
  const bool is_blocked = contains(task.blocked, info.number);
  if (is_blocked || action.handler == kHandlerIgnore) {
    action.handler = kHandlerDefault;
    actions_changed(task);
  }
  if (is_blocked) set_blocked(task, task.blocked & ~signal_bit(info.number));
  task.pending.add(info);
}

void force_signal(Task& task, int number) {
  SignalInfo info;
  info.number = number;
  info.code = SI_KERNEL;
  force_signal(task, info);
}

namespace {

/// Whom a signal of the host's is for: a timer may be one task's.
void send_from_host(Process& process, const SignalInfo& info) {
  if (info.code == SI_TIMER)
    for (const PosixTimer& timer : process.posix_timers)
      if (timer.id == static_cast<i32>(info.get32(SignalInfo::kTimerId)) && timer.target.value != 0) {
        Task* const target = process.find_task(timer.target);
        if (target != nullptr && !target->ended()) send_to_task(*target, info);
        return;
      }
  send_to_process(process, info);
}

}  // namespace

bool collect_host_signals(Process& process) {
  bool any = false;
  host::HostSignal signal;
  u16& looks = process.scheduler.current().looks_in_call;
  process.host.begin_look(looks);
  if (looks != 0) looks = static_cast<u16>(looks % 0xffff + 1);
  while (process.host.next_signal(signal)) {
    any = true;
    if (signal.number == host::kQuantumOver) {
      process.scheduler.end_quantum();
      continue;
    }
    if (signal.number == host::kMemoryShared) {
      process.scheduler.join_turns();
      continue;
    }
    SignalInfo info = SignalInfo::from_bytes(signal.siginfo);
    info.number = signal.number;
    send_from_host(process.owner(), info);
  }
  return any;
}

i64 call_uninterrupted(Process& process, host::HostCall& call) {
  while (true) {
    const i64 result = process.host.call(call);
    if (result != -EINTR || !collect_host_signals(process)) return result;
  }
}

SignalSet pending_signals(const Task& task) { return task.pending.set() | task.process.pending.set(); }

/// complete_signal: what was sent to the process goes to its leader, and to another task only if the leader
/// blocks it or has ended.
SignalSet deliverable_signals(const Task& task) {
  const Task& leader = *task.process.tasks.front();
  SignalSet of_process = task.process.pending.set();
  if (&task != &leader && !leader.ended()) of_process &= leader.blocked;
  return (task.pending.set() | of_process) & ~task.blocked;
}

bool take_signal(Task& task, SignalSet wanted, SignalInfo& out) {
  if (!task.pending.take(wanted, out) && !task.process.pending.take(wanted, out)) return false;
  if (out.code == SI_TIMER)
    for (PosixTimer& timer : task.process.posix_timers)
      if (timer.id == static_cast<i32>(out.get32(SignalInfo::kTimerId)))
        timer.overruns = static_cast<i32>(out.get32(SignalInfo::kOverrun));
  return true;
}

void set_blocked(Task& task, SignalSet mask) {
  task.blocked = mask & ~kUnblockable;
  hold_signals(task);
}

void hold_signals(Task& task, SignalSet except) {
  Process& process = task.process;
  if (process.lender != nullptr) return;  // the host's signals are its lender's
  const SignalSet blocked = blocked_by_all(process);
  const SignalSet held = process.signalfd_mask & blocked & ~except;
  process.host.set_signal_view({.blocked = blocked & ~except,
                                .ignored = process.ignored_signals & ~except,
                                .ignored_by_default = process.default_ignored_signals & ~except,
                                .held = held});
  const SignalSet newly_held = held & ~process.held_signals;
  process.held_signals = held;
  for (SignalInfo info; take_signal(task, newly_held, info);) move_to_host(process, info);
}

void actions_changed(Task& task) {
  Process& process = task.process;
  ++process.changes_to_show;
  process.ignored_signals = 0;
  process.default_ignored_signals = 0;
  for (int number = 1; number <= kSignalCount; ++number) {
    const u64 handler = process.action(number).handler;
    const DefaultAction action = default_action(number);
    if (handler == kHandlerIgnore) process.ignored_signals |= signal_bit(number);
    if (handler == kHandlerDefault &&
        (action == DefaultAction::ignore || action == DefaultAction::continue_process))
      process.default_ignored_signals |= signal_bit(number);
  }
  hold_signals(task);
}

SignalSet pending_on_host(const Task& task) {
  SignalSet set = 0;
  if (task.blocked == 0 || task.process.lender != nullptr) return set;
  host::HostCall call;
  call.number = __NR_rt_sigpending;
  call.args = {reinterpret_cast<u64>(&set), sizeof set};
  call.checked_args = 0b10;
  call.out.add({.address = reinterpret_cast<u64>(&set), .capacity_bytes = sizeof set});
  task.process.host.call(call);
  return set & task.blocked;
}

void deliver_signals(Task& task) {
  SignalInfo info;
  bool handled = false;
  stop_if_interrupted(task);
  while (!task.process.exit && take_signal(task, deliverable_signals(task), info)) {
    stop_for_signal(task, info);
    if (info.number == 0) continue;
    const u64 handler = task.process.action(info.number).handler;
    if (handler == kHandlerIgnore) continue;
    if (handler == kHandlerDefault || contains(kUnblockable, info.number)) {
      take_default_action(task, info.number);
      continue;
    }
    run_handler(task, info);
    handled = true;
  }
  if (handled || task.process.exit) return;
  settle_call(task, nullptr);
  if (task.saved_mask) {
    set_blocked(task, *task.saved_mask);
    task.saved_mask.reset();
  }
}

void reset_signals_for_exec(Task& task) {
  for (SignalAction& action : task.process.actions)
    action = {.handler = action.handler == kHandlerIgnore ? kHandlerIgnore : kHandlerDefault};
  actions_changed(task);
  task.altstack = {.flags = task.altstack.flags};  // begin_new_exec clears the place alone
  task.saved_mask.reset();
}

}  // namespace orrery::kernel
