// Signals between arrival and handler: who a signal goes to, whether it is ignored, which one is next, and
// what its default action does. Frames are signal_frame.h's, the queue is signal_queue.h's.
#pragma once

#include <optional>

#include "base/types.h"
#include "cpu/exit.h"
#include "kernel/process.h"
#include "kernel/signal_queue.h"
#include "kernel/task.h"

namespace orrery::kernel {

enum class DefaultAction : u8 { terminate, core, ignore, stop, continue_process };
DefaultAction default_action(int number);

// Values of SignalAction::handler.
inline constexpr u64 kHandlerDefault = 0;
inline constexpr u64 kHandlerIgnore = 1;

/// SIGKILL and SIGSTOP can be neither blocked, caught nor ignored.
inline constexpr SignalSet kUnblockable = signal_bit(9) | signal_bit(19);

/// True if the signal's handler, or lack of one, ignores it.
bool handler_ignores(const Process& process, int number);

/// True if the signal would be thrown away on arrival: ignored, or ignored by default, and not blocked (a
/// blocked one is kept, since the program may look at it with sigpending or change its handler).
bool ignored(const Process& process, int number);

/// A signal to the whole process (kill, alarm, the outside) or to one task (tgkill, a fault).
void send_to_process(Process& process, const SignalInfo& info);
void send_to_task(Task& task, const SignalInfo& info);

/// __send_signal_locked for a signal that `sender` sends to its own process, or to `target` in it: 0, or
/// -EAGAIN when RLIMIT_SIGPENDING leaves no room for it.
i64 send_to_self(Task& sender, Task* target, const SignalInfo& info);

/// force_sig_info_to_task: the signal comes at once; if it is blocked or ignored, the default action is
/// taken.
void force_signal(Task& task, const SignalInfo& info);
/// force_sig(SIGSEGV) and its like: si_code SI_KERNEL, no sender.
void force_signal(Task& task, int number);

/// Takes every signal from outside that the door has for us now. True if there was one.
bool collect_host_signals(Process& process);

/// Makes a host call that the real kernel would not have interrupted here (reading a program, a file of
/// /proc): signals that make the door answer EINTR are put into the queue, and it is made again.
i64 call_uninterrupted(Process& process, host::HostCall& call);

/// What is pending for this task, its own and its process's.
SignalSet pending_signals(const Task& task);
/// Pending and not blocked.
SignalSet deliverable_signals(const Task& task);

/// Takes the next one of `wanted`, the task's own first. False if none is pending.
bool take_signal(Task& task, SignalSet wanted, SignalInfo& out);

/// set_current_blocked: SIGKILL and SIGSTOP stay open. Signals for a signalfd are blocked on the host too.
void set_blocked(Task& task, SignalSet mask);

/// Has the host leave alone what the task blocks or ignores, but for `except`, and hold the blocked ones
/// among Process::signalfd_mask.
void hold_signals(Task& task, SignalSet except = 0);

/// To be called when a handler in Process::actions was changed.
void actions_changed(Task& task);

/// What the host keeps pending because the task blocks it.
SignalSet pending_on_host(const Task& task);

/// Delivers what is pending and settles an interrupted system call: frames are built, default actions
/// taken. May end the process.
void deliver_signals(Task& task);

/// exec: caught signals go back to their default, ignored ones stay ignored; no alternate stack.
void reset_signals_for_exec(Task& task);

}  // namespace orrery::kernel
