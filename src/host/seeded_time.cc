// What a seeded run knows of time: clocks, sleeps, and how long things took.
#include <asm/unistd.h>
#include <errno.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include <cstring>

#include "host/call_ranges.h"
#include "host/seeded_host.h"

namespace orrery::host {
namespace {

constexpr u64 kNsPerUs = 1'000, kNsPerMs = 1'000'000;
constexpr u64 kNsPerClockTick = 10'000'000;  ///< of times(2): USER_HZ is 100
constexpr u64 kStepNs = 1'000;               ///< how far time moves when it is looked at
constexpr u64 kTscPerNs = 2;                 ///< the virtual counter runs at 2 GHz
constexpr i64 kClockAbsolute = 1;            ///< TIMER_ABSTIME

bool is_valid(const __kernel_timespec& time) {
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && static_cast<u64>(time.tv_nsec) < kNsPerSecond;
}

/// The time-out of a call that waits for descriptors; 0 also if it has none.
u64 timeout_ns(const HostCall& call) {
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

u64 SeededHost::look_at_time() {
  cpu_ns_ += kStepNs;
  return machine_.now_ns += kStepNs;
}

u64 SeededHost::clock_ns(u64 clock) {
  const u64 now = look_at_time();
  if (is_wall_clock(clock)) return machine_.epoch_ns + now;
  return is_cpu_clock(clock) ? cpu_ns_ : kBootedNs + now;
}

u64 SeededHost::read_tsc() { return (kBootedNs + look_at_time()) * kTscPerNs; }

VirtualTimers::Clocks SeededHost::clocks() const {
  return {machine_.now_ns, cpu_ns_, machine_.epoch_ns, kBootedNs};
}

bool SeededHost::is_known_clock(u64 clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
}

/// Calls with a bad pointer are the inner host's to answer.
i64 SeededHost::answer_of_time(HostCall& call) {
  const auto& args = call.args;
  switch (call.number) {
    case __NR_clock_gettime:
      return clock_gettime(call);
    case __NR_gettimeofday:
      return gettimeofday(call);
    case __NR_time:
      return time(call);
    case __NR_times:
      return times(call);
    case __NR_sysinfo:
      return system_info(call);
    case __NR_nanosleep:
      return is_guest_pointer(args[0]) ? sleep(CLOCK_MONOTONIC, false, args[0]) : inner_.call(call);
    case __NR_clock_nanosleep:
      return is_guest_pointer(args[2]) && is_known_clock(args[0])
                 ? sleep(args[0], (args[1] & kClockAbsolute) != 0, args[2])
                 : inner_.call(call);
    default:
      return wait(call);
  }
}

/// Which clocks there are, and EFAULT, is the host's to say; a process's clock is named by its id.
i64 SeededHost::clock_gettime(const HostCall& call) {
  HostCall probe = call;
  if (static_cast<i32>(call.args[0]) < 0) probe.args[0] = CLOCK_PROCESS_CPUTIME_ID;
  const i64 result = inner_.call(probe);
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

/// All time is the program's own.
i64 SeededHost::times(const HostCall& call) {
  HostCall probe = call;
  const i64 result = inner_.call(probe);
  if (result < 0) return result;
  const u64 now = look_at_time();
  const i64 parts[4] = {static_cast<i64>(cpu_ns_ / kNsPerClockTick)};
  if (is_guest_pointer(call.args[0])) store(call.args[0], parts);
  return static_cast<i64>((kBootedNs + now) / kNsPerClockTick);
}

/// What changes from one minute to the next is replaced.
i64 SeededHost::system_info(HostCall& call) {
  const i64 result = inner_.call(call);
  if (result < 0) return result;
  auto info = load<struct sysinfo>(call.args[0]);
  info.uptime = static_cast<i64>((kBootedNs + look_at_time()) / kNsPerSecond);
  for (auto& load : info.loads) load = 0;
  info.freeram = info.totalram / 2;
  info.freeswap = info.totalswap;
  info.sharedram = info.bufferram = 0;
  info.freehigh = info.totalhigh;
  info.procs = static_cast<u16>(machine_.live);
  store(call.args[0], info);
  return result;
}

/// What the host counted of a process is the engine's work as well, and never twice the same.
void SeededHost::hide_usage(const HostCall& call, u64 address, bool of_process) {
  constexpr i64 kResidentKilobytes = 8192;
  rusage usage{};
  usage.ru_maxrss = kResidentKilobytes;
  for (const OutRange& range : call.out.items()) {
    if (range.address != address || range.capacity_bytes < sizeof usage) continue;
    if (of_process) look_at_time();
    const u64 now = of_process ? cpu_ns_ : 0;
    usage.ru_utime = {static_cast<i64>(now / kNsPerSecond), static_cast<i64>(now % kNsPerSecond / kNsPerUs)};
    store(address, usage);
  }
}

/// A sleep ends at once, in the future. Time that is already past does not move the clock.
i64 SeededHost::sleep(u64 clock, bool absolute, u64 request_at) {
  const auto request = load<__kernel_timespec>(request_at);
  if (!is_valid(request)) return -EINVAL;
  const u64 wanted = to_ns(request);
  const u64 now = clock_ns(clock);
  if (!absolute) {
    machine_.now_ns += wanted;
  } else if (wanted > now) {
    machine_.now_ns += wanted - now;
  }
  return 0;
}

/// Without descriptors it is a sleep.
i64 SeededHost::wait(HostCall& call) {
  const u64 timeout = timeout_ns(call);
  const bool only_sleeps = call.number == __NR_ppoll && call.args[1] == 0 && timeout != 0;
  if (only_sleeps) store(call.args[2], __kernel_timespec{});
  const i64 result = only_sleeps ? 0 : inner_.call(call);
  if (result == 0) machine_.now_ns += timeout;
  return result;
}

}  // namespace orrery::host
