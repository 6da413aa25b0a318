// Sleeping on the host, for the calls that wait for time alone. All return -EINTR when a signal is to be
// delivered; signals that the guest ignores do not end a sleep.
#pragma once

#include "base/types.h"
#include "kernel/syscalls/call.h"
#include "kernel/syscalls/time_values.h"

namespace orrery::kernel {

/// Until a clock reaches `deadline`: 0, -EINTR, or the host's error.
i64 sleep_until(Call& call, u64 clock, const TimeValue& deadline);

/// The rest of a futex wait that was interrupted (futex.cc).
i64 resume_futex_wait(Call& call, const RestartBlock& block);

/// Until a signal comes: -EINTR.
i64 sleep_until_signal(Call& call);

}  // namespace orrery::kernel
