// Timers of a process that runs under --seed, on the virtual clock: setitimer(2), alarm(2), timer_create(2),
// whose signals come through the door like any of the host's, and timerfd_create(2), whose descriptors are
// the host's eventfds: a time that has come is added to their count. Such a timer is its process's: a copy of
// the descriptor is not known, and a child that inherits it has to set it anew.
#pragma once

#include <optional>
#include <vector>

#include "host/host.h"
#include "host/seeded_clock.h"

namespace orrery::host {

class VirtualTimers {
 public:
  /// The time of a clock of the guest, in ns, when the virtual clock shows `now_ns`.
  struct Clocks {
    u64 now_ns;
    u64 cpu_ns;     ///< what the process has computed
    u64 epoch_ns;   ///< CLOCK_REALTIME at 0
    u64 booted_ns;  ///< CLOCK_MONOTONIC at 0
  };

  /// The answer to one of the calls above, and a look at those that close a timer's descriptor; nothing if
  /// the call is the host's alone.
  std::optional<i64> call(HostCall& call, const Clocks& clocks, Host& host);

  /// Of those whose time passes while the process waits; ~0 if none is set.
  u64 next_deadline_ns() const;
  bool any_is_set() const;
  /// A timer whose time has come: its signal. Descriptors are told on the way.
  bool take_due(const Clocks& clocks, HostSignal& signal);
  /// Only those that are descriptors. Whether there was one.
  bool tell_descriptors(u64 now_ns);
  /// In a forked child.
  void clear();

 private:
  struct Timer {
    i32 id = 0;  ///< of timer_create; -1 - which of setitimer; kDescriptorId
    i32 fd = -1;
    i32 signal = 0;
    u64 value = 0;  ///< sigev_value
    u64 clock = 0;
    u64 deadline_ns = ~u64{0}, interval_ns = 0;
  };
  static constexpr i32 kDescriptorId = -100;
  /// ITIMER_VIRTUAL, ITIMER_PROF, and timers of the processor's time.
  static bool counts_computing(const Timer& timer) {
    return timer.id == -2 || timer.id == -3 || (timer.id >= 0 && is_cpu_clock(timer.clock));
  }
  static u64 now_of(const Timer& timer, const Clocks& clocks) {
    return counts_computing(timer) ? clocks.cpu_ns : clocks.now_ns;
  }
  static u64 expire(Timer& timer, u64 now_ns);
  static void set(Timer& timer, const HostCall& call, const Clocks& clocks);
  Timer* find(i64 id);
  Timer* find_descriptor(u64 fd);
  Timer& interval_timer(u64 which);
  std::optional<i64> descriptor_call(HostCall& call, const Clocks& clocks, Host& host);
  i64 create_descriptor(HostCall& call, Host& host);
  void close_descriptors(u64 first, u64 last);
  i64 set_interval(const HostCall& call, const Clocks& clocks);
  i64 get_interval(u64 which, u64 address, const Clocks& clocks);
  i64 alarm(u64 seconds, u64 now_ns);
  i64 create(HostCall& call, Host& host);
  i64 set_created(const HostCall& call, const Clocks& clocks);
  void show(const Timer& timer, u64 address, u64 now_ns) const;

  std::vector<Timer> timers_;
};

}  // namespace orrery::host
