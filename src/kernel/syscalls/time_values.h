// struct timespec as a value, and the host's clocks, for the calls that wait.
#pragma once

#include <asm/unistd.h>

#include "base/types.h"
#include "kernel/syscalls/call.h"

namespace orrery::kernel {

inline constexpr u64 kClockRealtime = 0;
inline constexpr u64 kClockMonotonic = 1;
inline constexpr u64 kTimerAbsolute = 1;  // TIMER_ABSTIME
inline constexpr u64 kNanosecondsPerSecond = 1'000'000'000;

/// struct __kernel_timespec.
struct TimeValue {
  i64 seconds = 0;
  i64 nanoseconds = 0;

  /// timespec64_valid.
  constexpr bool valid() const {
    return seconds >= 0 && nanoseconds >= 0 && nanoseconds < static_cast<i64>(kNanosecondsPerSecond);
  }
  constexpr bool is_zero() const { return seconds == 0 && nanoseconds == 0; }

  static constexpr TimeValue from_milliseconds(i64 milliseconds) {
    return {milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  }
  /// Rounded up, at most what an int holds.
  constexpr i32 milliseconds_ceil() const {
    constexpr i64 kMost = 0x7fff'ffff;
    if (seconds >= kMost / 1000) return static_cast<i32>(kMost);
    return static_cast<i32>(seconds * 1000 + (nanoseconds + 999'999) / 1'000'000);
  }
  /// As one number; `this` is not negative. Times later than the kernel's last (KTIME_MAX, 292 years) come
  /// out as about that.
  constexpr i64 total_nanoseconds() const {
    constexpr i64 kSecondsMost = 9'000'000'000;
    if (seconds > kSecondsMost) return kSecondsMost * static_cast<i64>(kNanosecondsPerSecond);
    return seconds * static_cast<i64>(kNanosecondsPerSecond) + nanoseconds;
  }
  /// The sum, at most the end of time (timespec64_add_safe).
  constexpr TimeValue plus(const TimeValue& other) const {
    TimeValue sum{0, nanoseconds + other.nanoseconds};
    if (__builtin_add_overflow(seconds, other.seconds, &sum.seconds)) return {0x7fff'ffff'ffff'ffff, 0};
    if (sum.nanoseconds >= static_cast<i64>(kNanosecondsPerSecond)) {
      sum.nanoseconds -= static_cast<i64>(kNanosecondsPerSecond);
      if (__builtin_add_overflow(sum.seconds, i64{1}, &sum.seconds)) return {0x7fff'ffff'ffff'ffff, 0};
    }
    return sum;
  }
  /// What is left until `this` at `now`; zero if it has passed.
  constexpr TimeValue since(const TimeValue& now) const {
    TimeValue left{0, nanoseconds - now.nanoseconds};
    if (__builtin_sub_overflow(seconds, now.seconds, &left.seconds))
      return seconds < 0 ? TimeValue{} : TimeValue{0x7fff'ffff'ffff'ffff, 0};
    if (left.nanoseconds < 0) {
      left.nanoseconds += static_cast<i64>(kNanosecondsPerSecond);
      left.seconds = left.seconds < 0 ? -1 : left.seconds - 1;
    }
    return left.seconds < 0 ? TimeValue{} : left;
  }
};
static_assert(sizeof(TimeValue) == 16);

/// What a clock of the host says now; an event of the recording.
inline TimeValue host_clock(host::Host& host, u64 clock) {
  TimeValue now;
  host::HostCall ask;
  ask.number = __NR_clock_gettime;
  ask.args = {clock, reinterpret_cast<u64>(&now)};
  ask.checked_args = 0x1;
  ask.out.add({reinterpret_cast<u64>(&now), sizeof now, host::Extent::whole_on_success, 1, 0});
  host.call(ask);
  // A recording that a stranger made can hold any bytes.
  return now.valid() ? now : TimeValue{};
}
inline TimeValue host_clock(Call& call, u64 clock) { return host_clock(call.host(), clock); }

}  // namespace orrery::kernel
