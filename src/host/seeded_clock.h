// What the files of a seeded run know together of its virtual clock.
#pragma once

#include <linux/time_types.h>

#include "base/types.h"

namespace orrery::host {

inline constexpr u64 kNsPerSecond = 1'000'000'000;
/// CLOCK_MONOTONIC at the start: an hour after boot.
inline constexpr u64 kBootedNs = 3600 * kNsPerSecond;

/// As much as no program waits for is as good as for ever.
inline u64 to_ns(const __kernel_timespec& time) {
  constexpr u64 kSecondsMost = 10'000'000'000;
  const auto seconds = static_cast<u64>(time.tv_sec);
  return (seconds < kSecondsMost ? seconds : kSecondsMost) * kNsPerSecond + static_cast<u64>(time.tv_nsec);
}

inline __kernel_timespec to_timespec(u64 ns) {
  return {.tv_sec = static_cast<i64>(ns / kNsPerSecond), .tv_nsec = static_cast<i64>(ns % kNsPerSecond)};
}

/// Of CLOCK_REALTIME's kind: their time is the epoch's.
constexpr bool is_wall_clock(u64 clock) {
  constexpr u64 kRealtime = 0, kRealtimeCoarse = 5, kRealtimeAlarm = 8, kTai = 11;  // CLOCK_*
  return clock == kRealtime || clock == kRealtimeCoarse || clock == kRealtimeAlarm || clock == kTai;
}

/// Whether a clock counts processor time. Negative ones are another process's or thread's (the kernel's
/// include/linux/posix-timers.h, CPUCLOCK_*).
constexpr bool is_cpu_clock(u64 clock) {
  constexpr u64 kOfProcess = 2, kOfThread = 3;  // CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID
  return clock == kOfProcess || clock == kOfThread || static_cast<i32>(clock) < 0;
}

/// Ranges of the kernel's pointer check: an address that the guest kernel replaced by a bad one.
constexpr bool is_guest_pointer(u64 address) { return address >= 0x10000; }

}  // namespace orrery::host
