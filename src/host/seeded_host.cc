#include "host/seeded_host.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include <cstring>

namespace orrery::host {
namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u64 kStepNs = 1'000;                  ///< how far time moves when it is looked at
constexpr u64 kTscPerNs = 2;                    ///< the virtual counter runs at 2 GHz
constexpr u64 kBootedNs = 3600 * kNsPerSecond;  ///< CLOCK_MONOTONIC at the start: an hour after boot
constexpr u64 kEpochSeconds = 1'700'000'000;
constexpr u64 kSecondsPerYear = 31'536'000;
constexpr i64 kClockAbsolute = 1;  ///< TIMER_ABSTIME

bool is_cpu_clock(u64 clock) {
  // Negative clocks are another process's or thread's cpu time (posix-timers.h, CPUCLOCK_*).
  return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || static_cast<i32>(clock) < 0;
}

bool is_wall_clock(u64 clock) {
  constexpr u64 kRealtimeAlarm = 8;
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI ||
         clock == kRealtimeAlarm;
}

__kernel_timespec to_timespec(u64 ns) {
  return {.tv_sec = static_cast<i64>(ns / kNsPerSecond), .tv_nsec = static_cast<i64>(ns % kNsPerSecond)};
}

template <class T>
T load(u64 address) {
  T value;
  std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
  return value;
}

template <class T>
void store(u64 address, const T& value) {
  std::memcpy(reinterpret_cast<void*>(address), &value, sizeof value);
}

bool is_valid(const __kernel_timespec& time) {
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && static_cast<u64>(time.tv_nsec) < kNsPerSecond;
}

u64 to_ns(const __kernel_timespec& time) {
  constexpr u64 kSecondsMost = 1'000'000'000;  // 31 years of sleep are enough
  const u64 seconds =
      static_cast<u64>(time.tv_sec) < kSecondsMost ? static_cast<u64>(time.tv_sec) : kSecondsMost;
  return seconds * kNsPerSecond + static_cast<u64>(time.tv_nsec);
}

/// Ranges of the kernel's pointer check: an address that the guest kernel replaced by a bad one.
bool is_guest_pointer(u64 address) { return address >= 0x10000; }

}  // namespace

SeededHost::SeededHost(u64 seed, Host& inner)
    : inner_(inner),
      random_(seed),
      quanta_(~seed),
      epoch_ns_((kEpochSeconds + seed % kSecondsPerYear) * kNsPerSecond) {}

// --- turns ---

/// Of very different lengths, so that now and then one ends in the midst of a few instructions that belong
/// together, without most of the time going into switches.
void SeededHost::begin_quantum() {
  constexpr u64 kShortestLog2 = 6, kLogs = 12;
  const u64 most = u64{1} << (kShortestLog2 + quanta_.below(kLogs));
  quantum_end_ = instant_.ticks + 1 + quanta_.below(most);
}

void SeededHost::at(const Instant& instant) {
  const bool other_task = instant.task != instant_.task;
  instant_ = instant;
  if (other_task && preempting_) begin_quantum();
  inner_.at(instant);
}

/// The inner host keeps no timer: a turn ends at a tick and not at a time.
void SeededHost::set_preemption(bool wanted) {
  if (wanted && !preempting_) begin_quantum();
  preempting_ = wanted;
}

bool SeededHost::next_signal(HostSignal& signal) {
  if (!preempting_ || instant_.ticks < quantum_end_) return inner_.next_signal(signal);
  begin_quantum();
  signal = {.number = kQuantumOver};
  return true;
}

// --- time ---

u64 SeededHost::look_at_time() { return since_start_ns_ += kStepNs; }

u64 SeededHost::clock_ns(u64 clock) {
  const u64 now = look_at_time();
  if (is_wall_clock(clock)) return epoch_ns_ + now;
  return is_cpu_clock(clock) ? now : kBootedNs + now;
}

u64 SeededHost::read_tsc() { return (kBootedNs + look_at_time()) * kTscPerNs; }

/// Calls the seed does not decide, and those with a bad pointer, are the inner host's to answer.
i64 SeededHost::call(HostCall& call) {
  const auto& args = call.args;
  switch (call.number) {
    case __NR_clock_gettime:
      return clock_gettime(call);
    case __NR_gettimeofday:
      return gettimeofday(call);
    case __NR_time:
      return time(call);
    case __NR_nanosleep:
      return is_guest_pointer(args[0]) ? sleep(CLOCK_MONOTONIC, false, args[0]) : inner_.call(call);
    case __NR_clock_nanosleep:
      return is_guest_pointer(args[2]) && !is_cpu_clock(args[0])
                 ? sleep(args[0], (args[1] & kClockAbsolute) != 0, args[2])
                 : inner_.call(call);
    case __NR_poll:
    case __NR_ppoll:
    case __NR_select:
    case __NR_pselect6:
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
      return wait(call);
    case __NR_getrandom:
      if (!is_guest_pointer(args[0]) || call.out.items().empty()) return inner_.call(call);
      random_.fill({reinterpret_cast<u8*>(args[0]), args[1]});
      return static_cast<i64>(args[1]);
    case __NR_getcpu:
      if (is_guest_pointer(args[0])) store<u32>(args[0], 0);
      if (is_guest_pointer(args[1])) store<u32>(args[1], 0);
      return 0;
    default:
      return inner_.call(call);
  }
}

i64 SeededHost::clock_gettime(const HostCall& call) {
  HostCall probe = call;
  const i64 result = inner_.call(probe);  // which clocks there are, and EFAULT, is the kernel's to say
  if (result == 0) store(call.args[1], to_timespec(clock_ns(call.args[0])));
  return result;
}

i64 SeededHost::gettimeofday(const HostCall& call) {
  HostCall probe = call;
  const i64 result = inner_.call(probe);
  if (result < 0 || !is_guest_pointer(call.args[0])) return result;
  const u64 now = clock_ns(CLOCK_REALTIME);
  const __kernel_timespec time = to_timespec(now);
  store(call.args[0], time.tv_sec);
  store(call.args[0] + 8, time.tv_nsec / 1000);
  return result;
}

i64 SeededHost::time(const HostCall& call) {
  HostCall probe = call;
  const i64 result = inner_.call(probe);
  if (result < 0) return result;
  const i64 seconds = static_cast<i64>(clock_ns(CLOCK_REALTIME) / kNsPerSecond);
  if (is_guest_pointer(call.args[0])) store(call.args[0], seconds);
  return seconds;
}

/// A sleep ends at once, in the future. Time that is already past does not move the clock.
i64 SeededHost::sleep(u64 clock, bool absolute, u64 request_at) {
  const auto request = load<__kernel_timespec>(request_at);
  if (!is_valid(request)) return -EINVAL;
  const u64 wanted = to_ns(request);
  const u64 now = clock_ns(clock);
  if (!absolute) {
    since_start_ns_ += wanted;
  } else if (wanted > now) {
    since_start_ns_ += wanted - now;
  }
  return 0;
}

namespace {

/// The time-out of a call that waits for descriptors; 0 also if it has none.
u64 timeout_ns(const HostCall& call) {
  constexpr u64 kNsPerMs = 1'000'000, kNsPerUs = 1'000;
  const auto milliseconds = [](u64 argument) {
    const auto count = static_cast<i32>(argument);
    return count < 0 ? 0 : static_cast<u64>(count) * kNsPerMs;
  };
  const auto& args = call.args;
  __kernel_timespec time{};
  switch (call.number) {
    case __NR_poll:
      return milliseconds(args[2]);
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
      return milliseconds(args[3]);
    case __NR_ppoll:
      if (is_guest_pointer(args[2])) time = load<__kernel_timespec>(args[2]);
      return is_valid(time) ? to_ns(time) : 0;
    default:
      if (is_guest_pointer(args[4])) time = load<__kernel_timespec>(args[4]);
      if (call.number == __NR_select) time.tv_nsec *= static_cast<i64>(kNsPerUs);
      return is_valid(time) ? to_ns(time) : 0;
  }
}

}  // namespace

/// Without descriptors it is a sleep.
i64 SeededHost::wait(HostCall& call) {
  const u64 timeout = timeout_ns(call);
  const bool only_sleeps = call.number == __NR_ppoll && call.args[1] == 0 && timeout != 0;
  if (only_sleeps) store(call.args[2], __kernel_timespec{});
  const i64 result = only_sleeps ? 0 : inner_.call(call);
  if (result == 0) since_start_ns_ += timeout;
  return result;
}

}  // namespace orrery::host
