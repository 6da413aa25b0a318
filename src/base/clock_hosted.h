// The host's clocks as nanoseconds.
#pragma once

#include <time.h>

#include "base/types.h"

namespace orrery {

/// clock_gettime(2) of CLOCK_MONOTONIC, CLOCK_REALTIME ...
inline u64 clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}
inline u64 monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
/// Since the epoch.
inline u64 realtime_ns() { return clock_ns(CLOCK_REALTIME); }

}  // namespace orrery
