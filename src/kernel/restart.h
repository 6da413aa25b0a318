// What becomes of a system call that a signal interrupted (include/linux/errno.h,
// arch/x86/kernel/signal.c handle_signal). A syscall's row names one rule; forward.cc turns the -EINTR of an
// interruptible host call into that rule's internal result, and signal.cc resolves it before the task runs
// again: the guest never sees these numbers.
#pragma once

#include "base/types.h"
#include "linux/syscall_row.h"

namespace orrery::kernel {

using RestartRule = abi::Restart;

constexpr i64 restart_result(RestartRule rule) { return -static_cast<i64>(rule); }

}  // namespace orrery::kernel
