// What becomes of a system call that a signal interrupted (include/linux/errno.h,
// arch/x86/kernel/signal.c handle_signal). A syscall's row names one rule; dispatch turns the -EINTR of an
// interruptible host call into that rule's internal result, and Kernel::prepare_to_run resolves it: the
// guest never sees these numbers.
#pragma once

#include "base/types.h"

namespace orrery::kernel {

enum class RestartRule : i16 {
  never = 4,            ///< -EINTR whatever the handler says (epoll_wait, semop, sigtimedwait, ...)
  if_sa_restart = 512,  ///< -ERESTARTSYS: SA_RESTART decides (read, write, wait4, ...)
  always = 513,         ///< -ERESTARTNOINTR: the handler runs, then the call is made again
  no_handler = 514,     ///< -ERESTARTNOHAND: only when no handler ran (pause, sigsuspend, ppoll, ...)
  block = 516,  ///< -ERESTART_RESTARTBLOCK: as no_handler, but through restart_syscall(2) (nanosleep, poll)
};

constexpr i64 restart_result(RestartRule rule) { return -static_cast<i64>(rule); }

}  // namespace orrery::kernel
