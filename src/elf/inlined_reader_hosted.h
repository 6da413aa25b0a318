// The functions of a compilation unit, and what was inlined into them. Only this room's own files include
// this.
#pragma once

#include <elfutils/libdw.h>

#include <map>

#include "elf/inlined_code_hosted.h"

namespace orrery::elf {

/// Code of a function.
struct FunctionCode {
  u64 end = 0;
  u64 entry = 0;  ///< the function, by its offset
};

/// By beginning, the functions that stand in no other one. Addresses are those of the debug information.
std::map<u64, FunctionCode> read_functions(Dwarf_Die* unit);
/// Goes through all entries with code below that of a function or of a unit.
InlinedCode read_inlined_code(Dwarf_Die* parent);

}  // namespace orrery::elf
