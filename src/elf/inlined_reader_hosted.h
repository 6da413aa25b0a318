// The inlined functions of a compilation unit. Only this room's own files include this.
#pragma once

#include <elfutils/libdw.h>

#include "elf/inlined_code_hosted.h"

namespace orrery::elf {

/// Goes through all entries of the unit that have code.
InlinedCode read_inlined_code(Dwarf_Die* unit);

}  // namespace orrery::elf
