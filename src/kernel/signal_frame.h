// The frame on the guest's stack that a handler runs upon, and the alternate stack it may lie on. Used by
// signal.cc (delivery), by rt_sigreturn and sigaltstack, and by exec (AT_MINSIGSTKSZ).
#pragma once

#include "base/types.h"
#include "kernel/process.h"
#include "kernel/signal_queue.h"
#include "kernel/task.h"

namespace orrery::kernel {

/// Builds the frame and makes the task enter the handler. False if the stack cannot take it.
[[nodiscard]] bool enter_handler(Task& task, const SignalAction& action, const SignalInfo& info,
                                 SignalSet mask_to_restore);

/// rt_sigreturn(2): false if the frame is unusable, and the task is to get a SIGSEGV.
[[nodiscard]] bool leave_handler(Task& task);

/// True if `sp` lies on the alternate stack; never for an autodisarming one.
bool on_altstack(const AltStack& stack, u64 sp);
/// What sigaltstack(2) reports for a task whose stack pointer is `sp`: SS_DISABLE, SS_ONSTACK or 0.
u32 altstack_state(const AltStack& stack, u64 sp);
/// sigaltstack(2)'s setting half; 0 or -errno.
i64 set_altstack(Task& task, const AltStack& wanted, u64 sp);

/// AT_MINSIGSTKSZ.
u64 signal_frame_bytes_most(const Configuration& configuration);

}  // namespace orrery::kernel
