// Ends of tasks and processes, and waiting for those of others.
#include <asm/unistd.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "kernel/forward.h"
#include "kernel/syscalls/futex.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

constexpr u64 kInfoPidAt = 12;  ///< siginfo_t's si_pid

/// Of a waitid that did not sleep and answered 0: whether that was for a child.
bool found_child(Call& call) {
  u32 pid = 0;
  return call.row.number == __NR_waitid && call.space().read_value(call.args[2] + kInfoPidAt, pid) &&
         pid != 0;
}

/// Whose children they are and what became of them the host knows. Among other tasks it may not sleep: it is
/// asked again, more and more rarely.
i64 wait_for_child(Call& call, int options_argument) {
  const bool cannot_tell = call.row.number == __NR_waitid && call.args[2] == 0;
  if (call.process.scheduler.alone() || cannot_tell) return forward(call);
  constexpr i64 kLeastNs = 200'000, kMostNs = 20'000'000;
  u64& options = call.args[static_cast<std::size_t>(options_argument)];
  const bool sleeps = (options & WNOHANG) == 0;
  options |= WNOHANG;
  for (i64 pause_ns = kLeastNs;; pause_ns = std::min(2 * pause_ns, kMostNs)) {
    const i64 result = forward(call);
    if (!sleeps || result != 0 || found_child(call)) return result;
    Wait wait;
    wait.timed = true;
    wait.deadline_ns = host_clock(call, kClockMonotonic).total_nanoseconds() + pause_ns;
    if (wait_among_others(call, wait) != 0) return -static_cast<i64>(call.row.restart_rule);
  }
}

}  // namespace

/// Ends the task; the last one takes the process with it, and its status becomes the process's.
i64 sys_exit(Call& call) {
  const int status = call.fd(0) & 0xff;
  release_futexes(call);
  call.task.state = Exited{status << 8};
  for (const auto& task : call.process.tasks)
    if (!task->ended()) return 0;
  call.process.end({.status = status});
  return 0;
}

i64 sys_exit_group(Call& call) {
  // Other processes may wait for locks in memory that is shared with them.
  if (call.process.scheduler.takes_turns())
    for (const auto& task : call.process.tasks) {
      Call of_task{call.process, *task, call.row, call.args};
      release_futexes(of_task);
    }
  call.process.end({.status = call.fd(0) & 0xff});
  return 0;
}

i64 sys_wait4(Call& call) { return wait_for_child(call, 2); }
i64 sys_waitid(Call& call) { return wait_for_child(call, 3); }

}  // namespace orrery::kernel
