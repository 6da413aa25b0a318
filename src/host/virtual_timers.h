// Timers of a process that runs under --seed: setitimer(2), alarm(2) and timer_create(2) on the virtual
// clock. Their signals come through the door like any of the host's.
#pragma once

#include <optional>
#include <vector>

#include "host/host.h"

namespace orrery::host {

class VirtualTimers {
 public:
  /// The time of a clock of the guest, in ns, when the virtual clock shows `now_ns`.
  struct Clocks {
    u64 now_ns;
    u64 epoch_ns;   ///< CLOCK_REALTIME at 0
    u64 booted_ns;  ///< CLOCK_MONOTONIC at 0
  };

  /// The answer to one of the calls above, if `call` is one that the host need not see for its errors.
  std::optional<i64> call(const HostCall& call, const Clocks& clocks);

  /// kNever if none is set.
  u64 next_deadline_ns() const;
  /// A timer whose time has come: its signal.
  bool take_due(u64 now_ns, HostSignal& signal);
  /// In a forked child.
  void clear();

 private:
  struct Timer {
    i32 id = 0;  ///< of timer_create; -1 - which of setitimer
    i32 signal = 0;
    u64 value = 0;  ///< sigev_value
    u64 clock = 0;
    u64 deadline_ns = ~u64{0}, interval_ns = 0;
  };
  Timer* find(i64 id);
  Timer& interval_timer(u64 which);
  i64 set_interval(const HostCall& call, u64 now_ns);
  i64 get_interval(u64 which, u64 address, u64 now_ns);
  i64 alarm(u64 seconds, u64 now_ns);
  std::optional<i64> create(const HostCall& call);
  i64 set(const HostCall& call, const Clocks& clocks);
  void show(const Timer& timer, u64 address, u64 now_ns) const;

  std::vector<Timer> timers_;
  i32 next_id_ = 0;
};

}  // namespace orrery::host
