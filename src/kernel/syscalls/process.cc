// Ends of tasks and processes.
#include "kernel/scheduler.h"
#include "kernel/syscalls/futex.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/tracing.h"

namespace orrery::kernel {

/// Ends the task; the last one takes the process with it, and its status becomes the process's.
i64 sys_exit(Call& call) {
  const int status = call.fd(0) & 0xff;
  release_futexes(call);
  call.task.state = Exited{status << 8};
  note_end_of_traced(call.task, status << 8);
  release_traced(call.task);
  for (const auto& task : call.process.tasks)
    if (!task->ended()) return 0;
  call.process.end({.status = status});
  return 0;
}

i64 sys_exit_group(Call& call) {
  // Other processes may wait for locks in memory that is shared with them.
  if (call.process.scheduler.takes_turns() || call.process.lender != nullptr)
    for (const auto& task : call.process.tasks) {
      Call of_task{call.process, *task, call.row, call.args};
      release_futexes(of_task);
    }
  call.process.end({.status = call.fd(0) & 0xff});
  return 0;
}

}  // namespace orrery::kernel
