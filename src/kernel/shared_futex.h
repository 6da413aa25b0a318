// Futexes in memory that several processes share. The words are the same memory on the host, so the host's
// own futexes connect the processes: a task that is alone in its process sleeps there, without its process's
// turn, and whoever wakes wakes there too. A process of several tasks cannot sleep for one of them: that one
// looks again now and then.
#pragma once

#include "kernel/futex_table.h"
#include "kernel/syscalls/call.h"
#include "kernel/syscalls/time_values.h"

namespace orrery::kernel {

/// Whether other processes may wait on, or wake, the word at `address`.
bool is_shared_futex(Process& process, u64 address);

/// Waits while the word keeps its value: 0, -ETIMEDOUT or -EINTR; may end early, as futexes may.
i64 wait_on_shared(Call& call, FutexWaiter& waiter, u64 clock, const TimeValue* deadline);

/// Wakes tasks of other processes: how many.
i64 wake_others_on_shared(Process& process, u64 address, i64 count, u32 bitset);

}  // namespace orrery::kernel
