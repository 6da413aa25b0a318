// Which slots of an object stay writable for good though a program's way leads through them: what RELRO does
// not cover.
#pragma once

#include <vector>

#include "lens/load/link_rows.h"
#include "lens/load/loaded_objects.h"

namespace orrery::lens::load {

/// `object`'s row tells whether its RELRO part was made read-only. Of programs that are not
/// position-independent, function pointers in data take no relocation and are not known.
std::vector<WritableRow> find_writable(const LoadedObject& object, const ObjectRow& row);

/// Whether the dynamic linker makes the address read-only: it protects whole pages only.
bool is_in_relro(const ObjectRow& row, u64 address);

}  // namespace orrery::lens::load
