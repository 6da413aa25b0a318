// What an engine that replays tells of its process: the control block of the guest kernel. The answer to
// ControlOp::process.
#pragma once

#include <span>

#include "base/types.h"

namespace orrery::kernel {
struct Process;
}

namespace orrery::machine {

inline constexpr int kControlSignals = 64;
inline constexpr int kControlLimits = 16;

struct ControlAction {
  u64 handler = 0;  ///< 0 SIG_DFL, 1 SIG_IGN
  u64 flags = 0, mask = 0;
};

/// Followed by the working directory and the path of the program.
struct ControlProcess {
  i32 pid = 0, parent = 0, group = 0, session = 0;
  u32 uid = 0, euid = 0, suid = 0;
  u32 gid = 0, egid = 0, sgid = 0;
  u32 umask = 0, personality = 0;
  u32 dumpable = 0, no_new_privileges = 0;
  u32 seccomp_mode = 0, seccomp_filters = 0;
  u32 tasks = 0, timers = 0;
  u32 directory_bytes = 0, program_bytes = 0;
  u64 pending = 0;  ///< signals sent to the process as a whole
  u64 limits[kControlLimits][2] = {};
  ControlAction actions[kControlSignals] = {};
};

/// Returns how many bytes were written; what has no room is left out.
u32 write_process(const kernel::Process& process, std::span<u8> out);

}  // namespace orrery::machine
