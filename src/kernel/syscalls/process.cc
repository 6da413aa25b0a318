// Ends of tasks and processes, and waiting for those of others.
#include <asm/unistd.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/forward.h"
#include "kernel/signal_queue.h"
#include "kernel/syscalls/futex.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/wait_host.h"

namespace orrery::kernel {
namespace {

constexpr u64 kInfoPidAt = 12;  ///< siginfo_t's si_pid
constexpr u64 kUsageBytes = 144;

/// One try, and whether it was for a child. waitid says that by its siginfo alone: who does not want one gets
/// one all the same.
i64 try_to_wait(Call& call, bool& found) {
  u32 pid = 0;
  if (call.row.number != __NR_waitid || call.args[2] != 0) {
    const i64 result = forward(call);
    found = result != 0 || (call.row.number == __NR_waitid &&
                            call.space().read_value(call.args[2] + kInfoPidAt, pid) && pid != 0);
    return result;
  }
  SignalInfo info;
  CallBuilder builder(call, __NR_waitid);
  for (const int index : {0, 1, 3}) builder.value(index, call.args[static_cast<std::size_t>(index)]);
  builder.engine_out(2, &info, sizeof info);
  builder.out(4, call.args[4], kUsageBytes, host::Extent::whole_on_success);
  const i64 result = builder.perform();
  std::memcpy(&pid, reinterpret_cast<const u8*>(&info) + kInfoPidAt, sizeof pid);
  found = result != 0 || pid != 0;
  return result;
}

/// Whose children they are and what became of them the host knows. Among other tasks it may not sleep: it is
/// asked again, more and more rarely.
i64 wait_for_child(Call& call, int options_argument) {
  if (call.process.scheduler.alone()) return forward(call);
  constexpr i64 kLeastNs = 200'000, kMostNs = 20'000'000;
  u64& options = call.args[static_cast<std::size_t>(options_argument)];
  const bool sleeps = (options & WNOHANG) == 0;
  options |= WNOHANG;
  for (i64 pause_ns = kLeastNs;; pause_ns = std::min(2 * pause_ns, kMostNs)) {
    bool found = false;
    const i64 result = try_to_wait(call, found);
    if (!sleeps || found) return result;
    Wait wait;
    wait.tries_again = call.process.scheduler.turns_are_seeded();
    wait.timed = !wait.tries_again;
    if (wait.timed) wait.deadline_ns = host_clock(call, kClockMonotonic).total_nanoseconds() + pause_ns;
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
