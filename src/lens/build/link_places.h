// Where the sections of linked objects lie in the output, as the output shows.
#pragma once

#include <deque>

#include "lens/build/link_symbols.h"

namespace orrery::lens::build {

/// Every section of the units that occupies memory. `resolver` has been finished.
std::vector<LinkSection> find_places(LinkResolver& resolver, elf::ElfFile& output);

}  // namespace orrery::lens::build
