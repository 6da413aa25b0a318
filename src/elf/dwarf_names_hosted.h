// Small ways through the entries of DWARF that several of this room's files go. Only they include this.
#pragma once

#include <dwarf.h>
#include <elfutils/libdw.h>

namespace orrery::elf {

/// Visits `die` and everything below it until `visit` returns true.
template <class Visit>
bool visit_tree(Dwarf_Die* die, const Visit& visit, int depth = 0) {
  if (visit(die)) return true;
  Dwarf_Die child;
  if (depth > 64 || dwarf_child(die, &child) != 0) return false;
  do {
    if (visit_tree(&child, visit, depth + 1)) return true;
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

/// As the linker knows it; null if it has no name.
inline const char* linkage_name(Dwarf_Die* function) {
  Dwarf_Attribute attribute;
  const char* name = dwarf_formstring(dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute));
  return name ? name : dwarf_diename(function);
}

}  // namespace orrery::elf
