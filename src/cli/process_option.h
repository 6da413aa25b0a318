// `-p PROCESS`: how a user names a process of a recording.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/types.h"

namespace orrery::cli {

inline constexpr const char* kProcessWords =
    "The process with this pid, or with this number in the recording: '#N' (see orrery ps)";

/// The processes that `word` names, by their numbers in the recording; pids are used again, so there may be
/// several. `pids`: the pid of each process by its number.
std::set<u32> find_processes(const std::map<u32, i32>& pids, const std::string& word);

}  // namespace orrery::cli
