// libdw's dwarf_getscopes is of no use: in elfutils 0.188 it misses functions inside the namespaces of
// clang's DWARF 5, and where it finds an inlined function it goes on in the abstract one, which has neither
// addresses nor call lines. So the concrete tree is walked here.
#include "elf/dwarf_scope_hosted.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>

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

/// Deeper than any compiler nests; a damaged file may nest without end.
constexpr int kDepthMost = 200;

/// A part of a function that has addresses of its own.
bool is_code(int tag) {
  return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
         tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/// What may hold functions without having their addresses.
bool is_container(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
         tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

/// Finds the entries that hold the pc, and appends the functions among them, innermost first. `thorough`:
/// also below functions that do not hold it, where nested functions and those of local classes may stand.
bool find_functions(Dwarf_Die* parent, u64 pc, bool thorough, int depth, std::vector<Dwarf_Die>& functions) {
  Dwarf_Die child;
  if (depth > kDepthMost || dwarf_child(parent, &child) != 0) return false;
  do {
    const int tag = dwarf_tag(&child);
    const bool holds = is_code(tag) && dwarf_haspc(&child, pc) == 1;
    if (!holds && !is_container(tag) && !(thorough && is_code(tag))) continue;
    const bool found = find_functions(&child, pc, thorough, depth + 1, functions);
    const bool function = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
    const bool outermost = !functions.empty() && dwarf_tag(&functions.back()) == DW_TAG_subprogram;
    if (holds && function && !outermost) functions.push_back(child);
    if (holds || found) return true;
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
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
  for (const bool thorough : {false, true})
    if (scope.functions.empty()) find_functions(unit, address - bias, thorough, 0, scope.functions);
  return scope;
}

}  // namespace orrery::elf
