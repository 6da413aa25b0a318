#include "elf/inlined_code_hosted.h"

#include <dwarf.h>

#include <iterator>

#include "elf/inlined_reader_hosted.h"

namespace orrery::elf {
namespace {

/// Deeper than any compiler nests; a damaged file may nest without end.
constexpr int kDepthMost = 200;

/// Entries that have code, or that may hold some that do.
bool may_hold_code(int tag) {
  switch (tag) {
    case DW_TAG_subprogram:
    case DW_TAG_inlined_subroutine:
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
      return true;
    default:
      return false;
  }
}

void add_ranges(Dwarf_Die* inlined, InlinedCode& code) {
  const u64 entry = dwarf_dieoffset(inlined);
  Dwarf_Addr base = 0, start = 0, end = 0;
  for (ptrdiff_t at = 0; (at = dwarf_ranges(inlined, at, &base, &start, &end)) > 0;)
    code.add(start, end, entry);
}

void add_below(Dwarf_Die* parent, int depth, InlinedCode& code) {
  Dwarf_Die child;
  if (depth > kDepthMost || dwarf_child(parent, &child) != 0) return;
  do {
    const int tag = dwarf_tag(&child);
    if (!may_hold_code(tag)) continue;
    if (tag == DW_TAG_inlined_subroutine) add_ranges(&child, code);
    add_below(&child, depth + 1, code);
  } while (dwarf_siblingof(&child, &child) == 0);
}

void add_functions(Dwarf_Die* parent, int depth, std::map<u64, FunctionCode>& functions) {
  Dwarf_Die child;
  if (depth > kDepthMost || dwarf_child(parent, &child) != 0) return;
  do {
    const int tag = dwarf_tag(&child);
    if (!may_hold_code(tag)) continue;
    if (tag != DW_TAG_subprogram) {
      add_functions(&child, depth + 1, functions);
      continue;
    }
    Dwarf_Addr base = 0, start = 0, end = 0;
    for (ptrdiff_t at = 0; (at = dwarf_ranges(&child, at, &base, &start, &end)) > 0;)
      if (start < end) functions[start] = {.end = end, .entry = dwarf_dieoffset(&child)};
  } while (dwarf_siblingof(&child, &child) == 0);
}

}  // namespace

u64 InlinedCode::at(u64 address) const {
  const auto above = starts_.upper_bound(address);
  return above == starts_.begin() ? kNone : std::prev(above)->second;
}

u64 InlinedCode::end_of(u64 address) const {
  const auto above = starts_.upper_bound(address);
  return above == starts_.end() ? ~u64{0} : above->first;
}

void InlinedCode::add(u64 start, u64 end, u64 entry) {
  if (start >= end) return;
  const u64 behind = at(end);
  starts_.erase(starts_.lower_bound(start), starts_.upper_bound(end));
  starts_[start] = entry;
  starts_[end] = behind;
}

std::map<u64, FunctionCode> read_functions(Dwarf_Die* unit) {
  std::map<u64, FunctionCode> functions;
  add_functions(unit, 0, functions);
  return functions;
}

InlinedCode read_inlined_code(Dwarf_Die* parent) {
  InlinedCode code;
  add_below(parent, 0, code);
  return code;
}

}  // namespace orrery::elf
