// The DWARF entries that hold a pc. Only this room's own files include this.
#pragma once

#include <elfutils/libdw.h>

#include <vector>

#include "elf/images_hosted.h"

namespace orrery::elf {

struct DwarfScope {
  Dwarf_Die unit{};
  u64 bias = 0;  ///< run-time address minus DWARF address
  /// Functions and inlined functions that hold the pc, innermost first.
  std::vector<Dwarf_Die> functions;
  bool valid = false;  ///< there is a compilation unit
};

DwarfScope find_scope(const Image& image, u64 address);

}  // namespace orrery::elf
