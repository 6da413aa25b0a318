// `orrery dump --calls`: the system calls of a run as strace would have printed them, from a replay.
#pragma once

#include <limits>
#include <optional>
#include <string>

#include "lens/instants.h"

namespace orrery::cli {

struct CallsWanted {
  u32 process = 0;                           ///< its number in the recording
  std::optional<lens::ExactInstant> from{};  ///< the beginning if none
  u64 count = std::numeric_limits<u64>::max();
  bool json = false;
};

/// Replays `recording` and prints its calls. Returns the exit code.
int dump_calls(const std::string& recording, const CallsWanted& wanted);

}  // namespace orrery::cli
