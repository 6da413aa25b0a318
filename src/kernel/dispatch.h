// From a system-call number to its handler. The table of syscalls (linux/syscall_table.cc) says what each
// call is; dispatch.cc adds the functions for those that the guest kernel answers itself.
#pragma once

#include <array>

#include "base/types.h"
#include "kernel/process.h"
#include "kernel/task.h"

namespace orrery::kernel {

/// Performs the system call that `task` has in its registers: leaves the number in Task::call and, unless
/// the call replaced them (CurrentCall::replaced), the result in rax. Internal restart codes are left
/// in rax for Kernel::prepare_to_run.
void system_call(Process& process, Task& task);

/// One system call with explicit number and arguments, without registers: restart_syscall and tests.
i64 perform_system_call(Process& process, Task& task, u64 number, const std::array<u64, 6>& args);

/// True the first time it is asked for this number: what is refused is said once.
bool first_report(Process& process, u64 number);

/// True if the guest kernel has a function of its own for this call.
bool has_handler(u64 number);

}  // namespace orrery::kernel
