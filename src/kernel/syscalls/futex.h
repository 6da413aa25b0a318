// What the end of a task does to futexes.
#pragma once

#include "kernel/syscalls/call.h"

namespace orrery::kernel {

/// The calling task ends: locks of its robust list and PI locks it owns are marked and handed on, and who
/// waits for its end (CLONE_CHILD_CLEARTID: pthread_join) is woken. kernel/futex/core.c,
/// futex_exit_release(); kernel/fork.c, mm_release().
void release_futexes(Call& call);

}  // namespace orrery::kernel
