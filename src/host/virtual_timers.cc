#include "host/virtual_timers.h"

#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cstring>

namespace orrery::host {
namespace {

constexpr u64 kNever = ~u64{0};
constexpr u64 kNsPerSecond = 1'000'000'000, kNsPerUs = 1'000;
constexpr u64 kAbsolute = 1;  // TIMER_ABSTIME
constexpr u64 kSecondsMost = 1'000'000'000;
constexpr u64 kIntervalTimers = 3;
constexpr i32 kNotifySignal = 0, kNotifyNone = 1;
constexpr int kSignalMost = 64;

/// struct itimerspec and struct itimerval: seconds and ns or us, of the interval and of the time that is
/// left.
struct Setting {
  i64 interval_seconds = 0, interval_rest = 0, seconds = 0, rest = 0;
};

bool is_pointer(u64 address) { return address >= 0x10000; }

template <class T>
T load(u64 address) {
  T value;
  std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
  return value;
}

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

bool is_wall_clock(u64 clock) { return clock == CLOCK_REALTIME || clock == CLOCK_TAI || clock == 8; }

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

/// Calls with a wrong argument or a pointer that leads nowhere go to the host, which says how wrong.
std::optional<i64> VirtualTimers::call(const HostCall& call, const Clocks& clocks) {
  const auto& args = call.args;
  switch (call.number) {
    case __NR_alarm:
      return alarm(static_cast<u32>(args[0]), clocks.now_ns);
    case __NR_getitimer:
      if (args[0] >= kIntervalTimers || !is_pointer(args[1])) return std::nullopt;
      return get_interval(args[0], args[1], clocks.now_ns);
    case __NR_setitimer:
      if (args[0] >= kIntervalTimers || !is_pointer(args[1])) return std::nullopt;
      return set_interval(call, clocks.now_ns);
    case __NR_timer_create:
      return create(call);
    case __NR_timer_settime:
      if (!is_pointer(args[2])) return std::nullopt;
      return set(call, clocks);
    case __NR_timer_gettime: {
      const Timer* const timer = find(static_cast<i32>(args[0]));
      if (timer == nullptr || timer->id < 0) return -EINVAL;
      if (!is_pointer(args[1])) return -EFAULT;
      show(*timer, args[1], clocks.now_ns);
      return 0;
    }
    case __NR_timer_delete:
      return std::erase_if(timers_,
                           [&](const Timer& timer) {
                             return timer.id >= 0 && timer.id == static_cast<i32>(args[0]);
                           }) != 0
                 ? 0
                 : -EINVAL;
    default:
      return std::nullopt;
  }
}

i64 VirtualTimers::get_interval(u64 which, u64 address, u64 now_ns) {
  const Timer& timer = interval_timer(which);
  const Setting setting = to_setting(left_ns(timer.deadline_ns, now_ns), timer.interval_ns, kNsPerUs);
  std::memcpy(reinterpret_cast<void*>(address), &setting, sizeof setting);
  return 0;
}

i64 VirtualTimers::set_interval(const HostCall& call, u64 now_ns) {
  constexpr u64 kUsPerSecond = 1'000'000;
  const auto wanted = load<Setting>(call.args[1]);
  if (!is_valid(wanted, kUsPerSecond)) return -EINVAL;
  if (is_pointer(call.args[2])) get_interval(call.args[0], call.args[2], now_ns);
  Timer& timer = interval_timer(call.args[0]);
  const u64 wait_ns = to_ns(wanted.seconds, wanted.rest, kNsPerUs);
  timer.deadline_ns = wait_ns != 0 ? now_ns + wait_ns : kNever;
  timer.interval_ns = to_ns(wanted.interval_seconds, wanted.interval_rest, kNsPerUs);
  return 0;
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

/// What the host would refuse it is asked to refuse.
std::optional<i64> VirtualTimers::create(const HostCall& call) {
  struct {
    u64 value;
    i32 signal, notify;
  } event{0, SIGALRM, kNotifySignal};
  constexpr u64 kClocksMost = 11;
  const bool has_event = call.args[1] != 0;
  if (call.args[0] > kClocksMost || !is_pointer(call.args[2])) return std::nullopt;
  if (has_event && !is_pointer(call.args[1])) return std::nullopt;
  if (has_event) event = load<decltype(event)>(call.args[1]);
  if (event.notify != kNotifySignal && event.notify != kNotifyNone) return std::nullopt;
  if (event.notify == kNotifySignal && (event.signal < 1 || event.signal > kSignalMost)) return -EINVAL;
  Timer timer;
  timer.id = next_id_++;
  timer.signal = event.notify == kNotifySignal ? event.signal : 0;
  timer.value = has_event ? event.value : static_cast<u64>(timer.id);
  timer.clock = call.args[0];
  timers_.push_back(timer);
  std::memcpy(reinterpret_cast<void*>(call.args[2]), &timer.id, sizeof timer.id);
  return 0;
}

i64 VirtualTimers::set(const HostCall& call, const Clocks& clocks) {
  Timer* const timer = find(static_cast<i32>(call.args[0]));
  const auto wanted = load<Setting>(call.args[2]);
  if (timer == nullptr || timer->id < 0 || !is_valid(wanted, kNsPerSecond)) return -EINVAL;
  if (is_pointer(call.args[3])) show(*timer, call.args[3], clocks.now_ns);
  const u64 time_ns = to_ns(wanted.seconds, wanted.rest, 1);
  // A clock's time is the virtual one, from another start.
  const u64 start_ns = is_wall_clock(timer->clock) ? clocks.epoch_ns : clocks.booted_ns;
  const u64 wall_ns = static_cast<u64>(wanted.seconds) * kNsPerSecond + static_cast<u64>(wanted.rest);
  const u64 at_ns = wall_ns > start_ns ? wall_ns - start_ns : 0;
  const bool absolute = (call.args[1] & kAbsolute) != 0;
  timer->deadline_ns = time_ns == 0 ? kNever : absolute ? at_ns : clocks.now_ns + time_ns;
  timer->interval_ns = to_ns(wanted.interval_seconds, wanted.interval_rest, 1);
  return 0;
}

void VirtualTimers::show(const Timer& timer, u64 address, u64 now_ns) const {
  const Setting setting = to_setting(left_ns(timer.deadline_ns, now_ns), timer.interval_ns, 1);
  std::memcpy(reinterpret_cast<void*>(address), &setting, sizeof setting);
}

u64 VirtualTimers::next_deadline_ns() const {
  u64 next = kNever;
  for (const Timer& timer : timers_) next = std::min(next, timer.deadline_ns);
  return next;
}

/// Times that were missed because nobody looked are overruns of the one signal.
bool VirtualTimers::take_due(u64 now_ns, HostSignal& signal) {
  constexpr std::size_t kCodeAt = 8, kTimerAt = 16, kOverrunAt = 20, kValueAt = 24;
  for (Timer& timer : timers_) {
    if (timer.deadline_ns > now_ns) continue;
    i32 overruns = 0;
    if (timer.interval_ns == 0) {
      timer.deadline_ns = kNever;
    } else {
      const u64 missed = (now_ns - timer.deadline_ns) / timer.interval_ns;
      timer.deadline_ns += (missed + 1) * timer.interval_ns;
      overruns = static_cast<i32>(missed);
    }
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

void VirtualTimers::clear() {
  timers_.clear();
  next_id_ = 0;
}

}  // namespace orrery::host
