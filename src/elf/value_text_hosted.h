// DWARF types and values as text. Only this room's own files include this.
#pragma once

#include <elfutils/libdw.h>

#include <string>

#include "elf/images_hosted.h"
#include "elf/stopped_machine_hosted.h"

namespace orrery::elf {

/// The type that an entry's DW_AT_type names, "void" if it has none.
std::string type_name(Dwarf_Die* owner);

/// Follows typedefs and qualifiers. False if there is no type (void).
bool resolved_type(Dwarf_Die* owner, Dwarf_Die* type);

/// A value of at most eight bytes, in the low bytes of `bits`.
std::string scalar_text(StoppedMachine& machine, Dwarf_Die* type, u64 bits);

/// A value of any size at `address`; structures are opened `depth` levels.
std::string memory_text(StoppedMachine& machine, Dwarf_Die* type, u64 address, int depth);

}  // namespace orrery::elf
