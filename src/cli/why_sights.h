// Looks of `why` at processes of a recording besides the one that is explained, each in a replay of its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lens/process_tree.h"
#include "lens/why/facts.h"
#include "lens/why/slowness.h"

namespace orrery::cli {

/// Parts of one process, in the order of time. Those that are not found are left out.
std::vector<lens::why::Sight> see_in(const std::string& directory, const lens::ProcessTree& tree,
                                     const std::vector<lens::why::TimePart>& parts);

/// Who killed the process, if one of the recording did.
std::optional<lens::why::Killer> find_killer(const std::string& directory, const lens::ProcessTree& tree,
                                             u32 process);

}  // namespace orrery::cli
