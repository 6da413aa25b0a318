// What the processes of a recording had open when they ended, for `orrery why`.
#pragma once

#include <string>
#include <vector>

#include "lens/why/waits.h"

namespace orrery::cli {

/// Of all processes; empty if it cannot be found out.
std::vector<lens::why::HeldDescriptor> read_descriptors(const std::string& directory);

}  // namespace orrery::cli
