// Ends and waits. A process has no children here (clone.cc makes threads only), so waiting is ECHILD
// after the kernel's checks of the arguments (kernel/exit.c).
#include <sys/wait.h>

#include <cerrno>
#include <climits>

#include "kernel/syscalls/futex.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kWaitNoThread = 0x2000'0000, kWaitAll = 0x4000'0000, kWaitClone = 0x8000'0000;
constexpr u64 kWaitKinds = kWaitNoThread | kWaitAll | kWaitClone;

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
  call.process.end({.status = call.fd(0) & 0xff});
  return 0;
}

i64 sys_wait4(Call& call) {
  const u64 options = call.args[2] & 0xffff'ffff;
  if ((options & ~(u64{WNOHANG | WUNTRACED | WCONTINUED} | kWaitKinds)) != 0) return -EINVAL;
  if (call.fd(0) == INT_MIN) return -ESRCH;
  return -ECHILD;
}

i64 sys_waitid(Call& call) {
  const u64 options = call.args[3] & 0xffff'ffff;
  constexpr u64 kStates = WEXITED | WSTOPPED | WCONTINUED;
  if ((options & ~(u64{WNOHANG | WNOWAIT} | kStates | kWaitKinds)) != 0) return -EINVAL;
  if ((options & kStates) == 0) return -EINVAL;
  const int id = call.fd(1);
  switch (static_cast<int>(call.args[0])) {
    case P_ALL:
      return -ECHILD;
    case P_PID:
      return id <= 0 ? -EINVAL : -ECHILD;
    case P_PGID:
      return id < 0 ? -EINVAL : -ECHILD;
    case 3 /* P_PIDFD */:
      return id < 0 ? -EINVAL : -EBADF;
    default:
      return -EINVAL;
  }
}

}  // namespace orrery::kernel
