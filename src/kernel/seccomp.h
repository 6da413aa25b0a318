// System-call filters that the program installs for itself (seccomp(2)). They bind the guest, not the engine:
// dispatch.cc asks before a call is made. One per process, which has one task; filters stay across exec.
#pragma once

#include <vector>

#include "base/types.h"
#include "kernel/packet_filter.h"

namespace orrery::kernel {

struct Task;

enum class SeccompMode : u8 { disabled = 0, strict = 1, filter = 2 };

struct Seccomp {
  SeccompMode mode = SeccompMode::disabled;
  std::vector<std::vector<FilterInstruction>> filters;  ///< oldest first
};

/// Whether the call that the task has in its registers may be made. If not, what happens instead has been
/// done: a result is in rax, a SIGSYS is pending, or the process has ended.
bool pass_seccomp(Task& task);

}  // namespace orrery::kernel
