// ptrace(2) between processes that live in one host process (kernel/companion.h): what a leak checker does to
// the threads of its program. A tracee stops where signals are delivered to it, waits there in the scheduler
// for its tracer, and goes on from there. The requests are syscalls/ptrace.cc; of all other processes the
// machine lets none be traced, since a tracer would see the engine.
#pragma once

#include "kernel/companion.h"
#include "kernel/process.h"
#include "kernel/task.h"

namespace orrery::kernel {

/// Of a traced task that is about to take this signal: stops until its tracer lets it go on. The signal with
/// which it does is left in `info`; its number is 0 if with none.
void stop_for_signal(Task& task, SignalInfo& info);

/// The stop that PTRACE_INTERRUPT asked for, if any.
void stop_if_interrupted(Task& task);

/// PTRACE_CONT and PTRACE_DETACH: a stopped task goes on, with this signal (0: none).
void let_go_on(Task& task, int signal);
void end_trace(Task& task);

/// exit_ptrace: the tracer ends, its tracees run on.
void release_traced(Process& tracer);
void release_traced(Task& tracer);

/// A traced task ended: its tracer may wait for that, or for its child's end if it is its parent.
void note_end_of_traced(Task& task, i32 status);

/// A tracee of `tracer` of the wanted number that has stopped or ended and was not waited for. `any` becomes
/// true if there is one to wait for at all.
bool take_trace_change(Process& tracer, const WaitedFor& wanted, LocalChange& change, bool& any);

}  // namespace orrery::kernel
