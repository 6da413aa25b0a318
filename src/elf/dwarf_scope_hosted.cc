#include "elf/dwarf_scope_hosted.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>

#include <cstdlib>

namespace orrery::elf {
namespace {

/// The unit that holds the pc. clang writes no .debug_aranges, so that a miss there proves nothing.
Dwarf_Die* find_unit(Dwfl_Module* module, u64 address, Dwarf_Addr* bias) {
  if (Dwarf_Die* unit = dwfl_module_addrdie(module, address, bias)) return unit;
  Dwarf_Die* unit = nullptr;
  while ((unit = dwfl_module_nextcu(module, unit, bias)) != nullptr) {
    if (dwarf_haspc(unit, address - *bias) == 1) return unit;
  }
  return nullptr;
}

}  // namespace

DwarfScope find_scope(const Image& image, u64 address) {
  DwarfScope scope;
  Dwarf_Addr bias = 0;
  Dwarf_Die* unit = find_unit(image.module, address, &bias);
  if (!unit) return scope;
  scope.unit = *unit;
  scope.bias = bias;
  scope.valid = true;
  Dwarf_Die* by_pc = nullptr;
  const int found = dwarf_getscopes(unit, address - bias, &by_pc);
  if (found <= 0) return scope;
  // dwarf_getscopes goes on in the abstract origin of an inlined function; the concrete tree, which
  // has the addresses and call lines, is the path of parents of the innermost entry.
  Dwarf_Die* by_parent = nullptr;
  const int depth = dwarf_getscopes_die(&by_pc[0], &by_parent);
  for (int i = 0; i < depth; ++i) {
    const int tag = dwarf_tag(&by_parent[i]);
    if (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_subprogram) scope.functions.push_back(by_parent[i]);
    if (tag == DW_TAG_subprogram) break;
  }
  std::free(by_parent);
  std::free(by_pc);
  return scope;
}

}  // namespace orrery::elf
