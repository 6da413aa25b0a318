// One guest thread: its registers, its signal state, and what it is doing as a value. Owned by its
// Process; changed by the kernel and by the executor (cpu) while it is the current task.
#pragma once

#include <array>
#include <optional>
#include <variant>

#include "base/types.h"
#include "cpu/registers.h"
#include "kernel/signal_queue.h"

namespace orrery::kernel {

struct Process;
struct Task;

// --- what a task is doing ---
struct Runnable {};
/// Waits in a system call (kernel/scheduler.h); the call itself is in Task::call.
struct Blocked {};
/// Stopped by a job-control signal.
struct Stopped {
  int signal = 0;
};
struct Exited {
  int status = 0;  ///< wait(2) encoding: status << 8 or the signal
};
using RunState = std::variant<Runnable, Blocked, Stopped, Exited>;

/// sigaltstack(2).
struct AltStack {
  u64 address = 0;
  u64 size_bytes = 0;
  u32 flags = 2;  ///< as set: SS_DISABLE, SS_AUTODISARM, SS_ONSTACK; a size of 0 means none
};

/// How restart_syscall(2) goes on with a call that was interrupted (struct restart_block): it makes
/// `number` with `args`, which the interrupted call has already turned into an absolute deadline.
struct RestartBlock {
  u32 number = 0;  ///< 0: nothing to restart, restart_syscall gives EINTR
  std::array<u64, 6> args{};
  u64 deadline_seconds = 0, deadline_nanoseconds = 0;
};

/// The system call being performed, or the last one done; -1 when the task came into the kernel otherwise.
struct CurrentCall {
  i64 number = -1;        ///< orig_rax
  bool replaced = false;  ///< the call set every register itself (execve, rt_sigreturn)
};

/// What the last synchronous fault left behind for sigcontext (thread_struct's error_code, trap_nr, cr2).
struct LastFault {
  u64 error_code = 0, trap_number = 0, cr2 = 0;
};

struct RobustList {
  u64 head = 0;
  u64 size_bytes = 24;
};

struct RestartableSequence {
  u64 address = 0;  ///< 0: not registered
  u32 size_bytes = 0;
  u32 signature = 0;
};

/// struct sched_attr: a task's place in the scheduler.
struct SchedulingPlace {
  u32 size_bytes = 56, policy = 0;
  u64 flags = 0;
  i32 nice = 0;
  u32 priority = 0;
  u64 runtime = 0, deadline = 0, period = 0;
  u32 clamp_least = 0, clamp_most = 0;
};
static_assert(sizeof(SchedulingPlace) == 56);

/// ptrace(2): who traces a task, and how it stands with it (kernel/tracing.h).
struct Trace {
  Task* tracer = nullptr;
  bool seized = false;           ///< by PTRACE_SEIZE
  bool interrupt_asked = false;  ///< PTRACE_INTERRUPT: stops before it runs on
  u32 options = 0;
  i32 stop_status = 0;    ///< as wait(2) tells it; 0: it runs
  bool reported = false;  ///< its tracer has waited for that
  SignalInfo info{};      ///< of the stop
};

struct Task {
  Task(Process& process, TaskId id) : id(id), process(process) {}

  TaskId id;
  Process& process;
  cpu::CpuState cpu;
  RunState state = Runnable{};
  CurrentCall call;
  u16 looks_in_call = 0;  ///< how often the call being made has looked for signals; 0 outside of one
  RestartBlock restart;

  // Signals.
  SignalSet blocked = 0;
  std::optional<SignalSet> saved_mask;  ///< to restore at the next frame or return (sigsuspend, ppoll, ...)
  PendingSignals pending;
  AltStack altstack;
  LastFault last_fault;

  // Registered addresses.
  u64 clear_child_tid = 0;
  RobustList robust_list;
  RestartableSequence rseq;

  std::optional<Trace> trace;
  int passed_signal = 0;  ///< what its tracer let it go on with

  std::array<char, 16> comm{};           ///< NUL-terminated, PR_SET_NAME
  std::optional<SchedulingPlace> place;  ///< a leader's is the host's; none: as the leader
  void* stack = nullptr;                 ///< the machine's: where the task stands while it is not current

  bool ended() const { return std::holds_alternative<Exited>(state); }
};

}  // namespace orrery::kernel
