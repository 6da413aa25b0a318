// Host calls that may sleep, while other tasks live: the task waits in the scheduler, the host's thread does
// not.
#pragma once

#include <optional>
#include <vector>

#include "kernel/scheduler.h"
#include "kernel/syscalls/call.h"

namespace orrery::kernel {

/// Makes the call so that it holds up no other task. Its result; -EINTR when a signal is to be delivered.
i64 call_among_others(Call& call, host::HostCall& host_call);

/// st_mode of what a descriptor is open for, or -errno.
i64 descriptor_mode(Call& call, int fd);

/// F_GETFL: whether calls on it do not sleep. True also when it is no descriptor.
bool is_nonblocking(Call& call, int fd);

/// How long a call still waits, and how it waits between its tries.
class Patience {
 public:
  Patience(Call& call, const host::HostCall& host_call) : call_(call), host_call_(host_call) {}

  /// Waits until one of these is ready. Nothing: try again; else what the call gives.
  std::optional<i64> until_ready(const std::vector<Descriptor>& descriptors);
  /// Waits a while, longer each time, or until another task did what may let the call go on.
  std::optional<i64> a_while(const std::vector<Descriptor>& descriptors = {});

 private:
  std::optional<i64> wait(Wait& wait);
  void find_limit();

  Call& call_;
  const host::HostCall& host_call_;
  i64 pause_ns_ = 100'000;
  bool limit_is_known_ = false, limited_ = false;
  i64 deadline_ns_ = 0;
  i64 late_result_ = -11;  ///< -EAGAIN
};

}  // namespace orrery::kernel
