// Where the time of a run went, for `why`: from the tables of threads, and replays of the processes to be
// seen.
#pragma once

#include <optional>
#include <string>

#include "lens/process_tree.h"
#include "lens/why/slowness.h"

namespace orrery::cli {

/// Nothing if the run of that process was not slow, no reason dominates, or it cannot be found out.
std::optional<lens::why::Slowness> read_slowness(const std::string& directory, const lens::ProcessTree& tree,
                                                 u32 process);

}  // namespace orrery::cli
