// `-p PROCESS`: how a user names a process of a recording.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/types.h"
#include "lens/process_tree.h"

namespace orrery::cli {

inline constexpr const char* kProcessWords =
    "The process with this pid, or with this number in the recording: '#N' (see orrery ps)";

/// The pid of each process by its number.
std::map<u32, i32> pids_of(const lens::ProcessTree& tree);

/// The processes that `word` names, by their numbers in the recording; pids are used again, so there may be
/// several. Complains if there is none.
std::set<u32> choose_processes(const std::map<u32, i32>& pids, const std::string& word);

}  // namespace orrery::cli
