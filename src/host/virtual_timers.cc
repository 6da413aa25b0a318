#include "host/virtual_timers.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/time_types.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "host/call_ranges.h"
#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

constexpr u64 kNever = ~u64{0};
constexpr u64 kNsPerUs = 1'000;
constexpr u64 kAbsolute = 1;  // TIMER_ABSTIME
constexpr u64 kSecondsMost = 10'000'000'000;
constexpr u64 kIntervalTimers = 3;
constexpr i32 kNotifyNone = 1;

/// struct itimerspec and struct itimerval: seconds and ns or us, of the interval and of the time that is
/// left.
struct Setting {
  i64 interval_seconds = 0, interval_rest = 0, seconds = 0, rest = 0;
};

bool is_valid(const Setting& setting, u64 units_per_second) {
  return setting.interval_seconds >= 0 && setting.seconds >= 0 && setting.interval_rest >= 0 &&
         setting.rest >= 0 && static_cast<u64>(setting.interval_rest) < units_per_second &&
         static_cast<u64>(setting.rest) < units_per_second;
}

u64 to_ns(i64 seconds, i64 rest, u64 ns_per_unit) {
  return std::min(static_cast<u64>(seconds), kSecondsMost) * kNsPerSecond +
         static_cast<u64>(rest) * ns_per_unit;
}

Setting to_setting(u64 left_ns, u64 interval_ns, u64 ns_per_unit) {
  return {static_cast<i64>(interval_ns / kNsPerSecond),
          static_cast<i64>(interval_ns % kNsPerSecond / ns_per_unit),
          static_cast<i64>(left_ns / kNsPerSecond), static_cast<i64>(left_ns % kNsPerSecond / ns_per_unit)};
}

u64 left_ns(u64 deadline_ns, u64 now_ns) {
  if (deadline_ns == kNever) return 0;
  return std::max<u64>(deadline_ns > now_ns ? deadline_ns - now_ns : 0, kNsPerUs);
}

/// What was set before, after the new setting is in force: as the kernel does it.
i64 give(const HostCall& call, u64 address, const Setting& setting) {
  if (address == 0) return 0;
  if (!is_out(call, address, sizeof setting)) return -EFAULT;
  store(address, setting);
  return 0;
}

}  // namespace

VirtualTimers::Timer* VirtualTimers::find(i64 id) {
  const auto found =
      std::find_if(timers_.begin(), timers_.end(), [id](const Timer& timer) { return timer.id == id; });
  return found == timers_.end() ? nullptr : &*found;
}

VirtualTimers::Timer& VirtualTimers::interval_timer(u64 which) {
  static constexpr i32 kSignals[kIntervalTimers] = {SIGALRM, SIGVTALRM, SIGPROF};
  const i32 id = -1 - static_cast<i32>(which);
  if (Timer* const timer = find(id); timer != nullptr) return *timer;
  Timer timer;
  timer.id = id;
  timer.signal = kSignals[which];
  timers_.push_back(timer);
  return timers_.back();
}

VirtualTimers::Timer* VirtualTimers::find_descriptor(u64 fd) {
  const auto found = std::find_if(timers_.begin(), timers_.end(),
                                  [fd](const Timer& timer) { return timer.fd == static_cast<i32>(fd); });
  return found == timers_.end() || static_cast<i32>(fd) < 0 ? nullptr : &*found;
}

/// Calls with a wrong argument or a pointer that leads nowhere go to the host, which says how wrong.
std::optional<i64> VirtualTimers::call(HostCall& call, const Clocks& clocks, Host& host) {
  const auto& args = call.args;
  switch (call.number) {
    case __NR_alarm:
      return alarm(static_cast<u32>(args[0]), clocks.now_ns);
    case __NR_getitimer:
      if (args[0] >= kIntervalTimers || !is_out(call, args[1], sizeof(Setting))) return std::nullopt;
      return get_interval(args[0], args[1], clocks);
    case __NR_setitimer:
      if (args[0] >= kIntervalTimers || !is_in(call, args[1], sizeof(Setting))) return std::nullopt;
      return set_interval(call, clocks);
    case __NR_timer_create:
      return create(call, host);
    case __NR_timer_settime:
      if (!is_in(call, args[2], sizeof(Setting))) return std::nullopt;
      return set_created(call, clocks);
    case __NR_timer_gettime: {
      const Timer* const timer = find(static_cast<i32>(args[0]));
      if (timer == nullptr || timer->id < 0 || !is_out(call, args[1], sizeof(Setting))) return std::nullopt;
      show(*timer, args[1], now_of(*timer, clocks));
      return 0;
    }
    case __NR_timer_delete:
      std::erase_if(timers_, [&](const Timer& timer) {
        return timer.id >= 0 && timer.id == static_cast<i32>(args[0]);
      });
      return std::nullopt;
    default:
      return descriptor_call(call, clocks, host);
  }
}

i64 VirtualTimers::get_interval(u64 which, u64 address, const Clocks& clocks) {
  const Timer& timer = interval_timer(which);
  const u64 now_ns = now_of(timer, clocks);
  const Setting setting = to_setting(left_ns(timer.deadline_ns, now_ns), timer.interval_ns, kNsPerUs);
  std::memcpy(reinterpret_cast<void*>(address), &setting, sizeof setting);
  return 0;
}

i64 VirtualTimers::set_interval(const HostCall& call, const Clocks& clocks) {
  constexpr u64 kUsPerSecond = 1'000'000;
  const auto wanted = load<Setting>(call.args[1]);
  if (!is_valid(wanted, kUsPerSecond)) return -EINVAL;
  Setting old;
  if (call.args[2] != 0) get_interval(call.args[0], reinterpret_cast<u64>(&old), clocks);
  Timer& timer = interval_timer(call.args[0]);
  const u64 now_ns = now_of(timer, clocks);
  const u64 wait_ns = to_ns(wanted.seconds, wanted.rest, kNsPerUs);
  timer.deadline_ns = wait_ns != 0 ? now_ns + wait_ns : kNever;
  timer.interval_ns = to_ns(wanted.interval_seconds, wanted.interval_rest, kNsPerUs);
  return give(call, call.args[2], old);
}

/// alarm_setitimer: what was left is rounded, but never to 0.
i64 VirtualTimers::alarm(u64 seconds, u64 now_ns) {
  Timer& timer = interval_timer(0);
  const u64 left = left_ns(timer.deadline_ns, now_ns);
  timer.deadline_ns = seconds != 0 ? now_ns + seconds * kNsPerSecond : kNever;
  timer.interval_ns = 0;
  const u64 rounded = (left + kNsPerSecond / 2) / kNsPerSecond;
  return static_cast<i64>(left != 0 ? std::max<u64>(rounded, 1) : 0);
}

/// The host makes one too, which is never set: it gives the id, and says what is wrong.
i64 VirtualTimers::create(HostCall& call, Host& host) {
  struct {
    u64 value;
    i32 signal, notify;
  } event{0, SIGALRM, 0};
  const i64 result = host.call(call);
  if (result < 0) return result;
  Timer timer;
  timer.id = load<i32>(call.args[2]);
  event.value = static_cast<u64>(timer.id);
  if (call.args[1] != 0) event = load<decltype(event)>(call.args[1]);
  timer.signal = event.notify != kNotifyNone ? event.signal : 0;
  timer.value = event.value;
  timer.clock = call.args[0];
  timers_.push_back(timer);
  return 0;
}

i64 VirtualTimers::set_created(const HostCall& call, const Clocks& clocks) {
  Timer* const timer = find(static_cast<i32>(call.args[0]));
  if (timer == nullptr || timer->id < 0 || !is_valid(load<Setting>(call.args[2]), kNsPerSecond))
    return -EINVAL;
  Setting old;
  show(*timer, reinterpret_cast<u64>(&old), now_of(*timer, clocks));
  set(*timer, call, clocks);
  return give(call, call.args[3], old);
}

/// As timer_settime and timerfd_settime say it: flags and what is wanted. A clock's time is the virtual one,
/// from another start, or what the process has computed.
void VirtualTimers::set(Timer& timer, const HostCall& call, const Clocks& clocks) {
  const auto wanted = load<Setting>(call.args[2]);
  const u64 time_ns = to_ns(wanted.seconds, wanted.rest, 1);
  const u64 start_ns = counts_computing(timer)      ? 0
                       : is_wall_clock(timer.clock) ? clocks.epoch_ns
                                                    : clocks.booted_ns;
  const u64 at_ns = time_ns > start_ns ? time_ns - start_ns : 0;
  const bool absolute = (call.args[1] & kAbsolute) != 0;
  timer.deadline_ns = time_ns == 0 ? kNever : absolute ? at_ns : now_of(timer, clocks) + time_ns;
  timer.interval_ns = to_ns(wanted.interval_seconds, wanted.interval_rest, 1);
}

void VirtualTimers::show(const Timer& timer, u64 address, u64 now_ns) const {
  const Setting setting = to_setting(left_ns(timer.deadline_ns, now_ns), timer.interval_ns, 1);
  std::memcpy(reinterpret_cast<void*>(address), &setting, sizeof setting);
}

// --- descriptors ---

std::optional<i64> VirtualTimers::descriptor_call(HostCall& call, const Clocks& clocks, Host& host) {
  const auto& args = call.args;
  if (call.number == __NR_timerfd_create) return create_descriptor(call, host);
  if (call.number == __NR_close) close_descriptors(args[0], args[0]);
  if ((call.number == __NR_dup2 && args[0] != args[1]) || call.number == __NR_dup3) {
    const i64 result = host.call(call);
    if (result >= 0) close_descriptors(args[1], args[1]);
    return result;
  }
  constexpr u64 kOnlyMark = 4;  // CLOSE_RANGE_CLOEXEC
  if (call.number == __NR_close_range && (args[2] & kOnlyMark) == 0) close_descriptors(args[0], args[1]);
  const bool sets = call.number == __NR_timerfd_settime;
  if (!sets && call.number != __NR_timerfd_gettime) return std::nullopt;
  Timer* const timer = find_descriptor(args[0]);
  if (timer == nullptr) return std::nullopt;
  if (!sets) {
    if (!is_out(call, args[1], sizeof(Setting))) return -EFAULT;
    show(*timer, args[1], clocks.now_ns);
    return 0;
  }
  constexpr u64 kFlags = 3;  // TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET
  if (!is_in(call, args[2], sizeof(Setting))) return -EFAULT;
  if ((args[1] & ~kFlags) != 0 || !is_valid(load<Setting>(args[2]), kNsPerSecond)) return -EINVAL;
  Setting old;
  show(*timer, reinterpret_cast<u64>(&old), clocks.now_ns);
  pollfd look{.fd = timer->fd, .events = POLLIN, .revents = 0};
  const __kernel_timespec now{};
  u64 count = 0;  // times that nobody has read yet are forgotten
  if (raw_syscall(__NR_ppoll, &look, 1, &now, nullptr, 0) == 1)
    raw_syscall(__NR_read, timer->fd, &count, sizeof count);
  set(*timer, call, clocks);
  return give(call, args[3], old);
}

/// The host is asked for one first, for its errors.
i64 VirtualTimers::create_descriptor(HostCall& call, Host& host) {
  const i64 probe = host.call(call);
  if (probe < 0) return probe;
  raw_syscall(__NR_close, probe);
  const i64 fd = raw_syscall(__NR_eventfd2, 0, call.args[1]);
  if (fd < 0) return fd;
  Timer timer;
  timer.id = kDescriptorId;
  timer.fd = static_cast<i32>(fd);
  timer.clock = call.args[0];
  timers_.push_back(timer);
  return fd;
}

void VirtualTimers::close_descriptors(u64 first, u64 last) {
  std::erase_if(timers_, [&](const Timer& timer) {
    return timer.fd >= 0 && static_cast<u32>(timer.fd) >= static_cast<u32>(first) &&
           static_cast<u32>(timer.fd) <= static_cast<u32>(last);
  });
}

bool VirtualTimers::tell_descriptors(u64 now_ns) {
  bool any = false;
  for (Timer& timer : timers_) {
    if (timer.fd < 0 || timer.deadline_ns > now_ns) continue;
    const u64 count = expire(timer, now_ns);
    raw_syscall(__NR_write, timer.fd, &count, sizeof count);
    any = true;
  }
  return any;
}

// --- times that come ---

u64 VirtualTimers::next_deadline_ns() const {
  u64 next = kNever;
  for (const Timer& timer : timers_)
    if (!counts_computing(timer)) next = std::min(next, timer.deadline_ns);
  return next;
}

bool VirtualTimers::any_is_set() const {
  return std::any_of(timers_.begin(), timers_.end(),
                     [](const Timer& timer) { return timer.deadline_ns != kNever; });
}

/// How often its time has come by now; sets its next one.
u64 VirtualTimers::expire(Timer& timer, u64 now_ns) {
  if (timer.interval_ns == 0) {
    timer.deadline_ns = kNever;
    return 1;
  }
  const u64 count = (now_ns - timer.deadline_ns) / timer.interval_ns + 1;
  timer.deadline_ns += count * timer.interval_ns;
  return count;
}

/// Times that were missed because nobody looked are overruns of the one signal.
bool VirtualTimers::take_due(const Clocks& clocks, HostSignal& signal) {
  constexpr std::size_t kCodeAt = 8, kTimerAt = 16, kOverrunAt = 20, kValueAt = 24;
  (void)tell_descriptors(clocks.now_ns);
  for (Timer& timer : timers_) {
    const u64 now_ns = now_of(timer, clocks);
    if (timer.deadline_ns > now_ns) continue;
    const auto overruns = static_cast<i32>(expire(timer, now_ns) - 1);
    if (timer.signal == 0) continue;
    signal = {.number = timer.signal};
    const i32 code = timer.id >= 0 ? SI_TIMER : SI_KERNEL;
    std::memcpy(signal.siginfo.data(), &timer.signal, sizeof timer.signal);
    std::memcpy(signal.siginfo.data() + kCodeAt, &code, sizeof code);
    if (timer.id < 0) return true;
    std::memcpy(signal.siginfo.data() + kTimerAt, &timer.id, sizeof timer.id);
    std::memcpy(signal.siginfo.data() + kOverrunAt, &overruns, sizeof overruns);
    std::memcpy(signal.siginfo.data() + kValueAt, &timer.value, sizeof timer.value);
    return true;
  }
  return false;
}

/// Descriptors stay, but what the parent set is the parent's to tell.
void VirtualTimers::clear() {
  std::erase_if(timers_, [](const Timer& timer) { return timer.fd < 0; });
  for (Timer& timer : timers_) timer.deadline_ns = kNever;
}

}  // namespace orrery::host
