#include "host/futex_waiter.h"

#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/time_types.h>

#include "host/raw_syscall.h"

namespace orrery::host {

void RawFutexWaiter::wait(const u32* word, u32 expected, u64 timeout_ns) {
  constexpr u64 kNsPerSecond = 1'000'000'000;
  const __kernel_timespec timeout{.tv_sec = static_cast<i64>(timeout_ns / kNsPerSecond),
                                  .tv_nsec = static_cast<i64>(timeout_ns % kNsPerSecond)};
  raw_syscall(__NR_futex, word, FUTEX_WAIT, expected, &timeout);
}

void RawFutexWaiter::wake(u32* word) { raw_syscall(__NR_futex, word, FUTEX_WAKE, 1); }

}  // namespace orrery::host
