// CLOCK_MONOTONIC without asking the kernel: the time stamp counter, scaled by what `orrery` measured
// before it started the engine. For the times written into events, which nothing depends on; error
// some 10^-4 of the time since the start.
#pragma once

#include "base/types.h"

namespace orrery::host {

struct TscClock {
  u64 base_tsc = 0;
  u64 base_ns = 0;
  u64 ns_per_tick_32 = 0;  ///< nanoseconds a tick, times 2^32; 0: the clock stands at base_ns

  static u64 tsc() {
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return u64{high} << 32 | low;
  }

  u64 now_ns() const {
    if (ns_per_tick_32 == 0) return base_ns;
    const u64 ticks = tsc() - base_tsc;
    return base_ns + static_cast<u64>((static_cast<unsigned __int128>(ticks) * ns_per_tick_32) >> 32);
  }
};

}  // namespace orrery::host
