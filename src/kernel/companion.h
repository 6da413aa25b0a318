// Processes that use the memory, the descriptors and the directory of another one and run beside it: clone(2)
// with CLONE_VM, CLONE_FS and CLONE_FILES, without CLONE_VFORK and CLONE_THREAD. LeakSanitizer makes one to
// look at the threads of its program (kernel/tracing.h). Such a companion lives in the host process of its
// lender as more tasks of the same scheduler, with an identity, signals and an end of its own. The host knows
// nothing of it, so its number is one that the host never gives, and what only a host process can do it may
// not do. When its lender ends or executes a program, it ends too.
#pragma once

#include "kernel/process.h"

namespace orrery::kernel {

/// A companion of the maker's process without tasks.
Process& make_companion(Task& maker, int exit_signal);

/// It has ended: its parent is told, and who it traced runs on. Called by Process::end.
void companion_ended(Process& companion);

/// Of all that live in the same host process: the process of that number, the task of that number. Null if
/// there is none; one that has ended counts until it has been waited for.
Process* find_process_here(Process& process, i32 number);
Task* find_task_here(Process& process, i32 number);

/// True for a system call that needs a host process for its effect: a companion may not make it.
bool needs_host_process(u64 number);

/// What wait(2) and its kin can learn without the host: of companions, and of tasks that the process traces.
struct LocalChange {
  i32 number = 0;  ///< of the process or task
  i32 status = 0;  ///< as wait4(2) gives it
};
enum class LocalChildren : u8 { none, running, changed };
struct WaitedFor {
  i32 number = -1;                                              ///< -1: any
  bool any_kind = false, clone_children = false, keep = false;  ///< __WALL, __WCLONE, WNOWAIT
  bool ends = true;  ///< false: stops alone (waitid without WEXITED)
};
LocalChildren look_at_children_here(Process& parent, const WaitedFor& wanted, LocalChange& change);

}  // namespace orrery::kernel
