// An address space for people: a bar of the whole, sums by meaning, and the pieces.
#pragma once

#include "cli/memory_map.h"
#include "cli/style.h"

namespace orrery::cli {

/// `all`: every piece; else those of a file as one line.
void print_map(const ProcessMap& map, bool all, const Style& style);

}  // namespace orrery::cli
