#include "elf/scope_names_hosted.h"

#include <dwarf.h>

#include <vector>

namespace orrery::elf {
namespace {

/// What an enclosing entry adds to the names in it; "" for one that adds nothing.
std::string scope_name(Dwarf_Die* scope, const std::string& inside) {
  const char* const name = dwarf_diename(scope);
  switch (dwarf_tag(scope)) {
    case DW_TAG_namespace:
      return name ? name : "(anonymous namespace)";
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
      return name ? name : inside.starts_with("operator()") ? "{lambda}" : "{unnamed}";
    case DW_TAG_subprogram:
    case DW_TAG_module:
      return name ? name : "";
    default:
      return "";
  }
}

/// Of the children of an entry, that which holds the offset or is it: entries stand in the order of a walk
/// that visits parents first. dwarf_getscopes_die() finds the same, but looks into all that come before.
bool child_around(Dwarf_Off offset, Dwarf_Die* parent, Dwarf_Die* child) {
  if (dwarf_child(parent, child) != 0 || dwarf_dieoffset(child) > offset) return false;
  Dwarf_Die next;
  while (dwarf_siblingof(child, &next) == 0 && dwarf_dieoffset(&next) <= offset) *child = next;
  return true;
}

}  // namespace

std::string in_its_scopes(Dwarf_Die* entry, const std::string& name) {
  const Dwarf_Off offset = dwarf_dieoffset(entry);
  std::vector<Dwarf_Die> scopes(1);
  if (!dwarf_diecu(entry, &scopes.front(), nullptr, nullptr)) return name;
  while (dwarf_dieoffset(&scopes.back()) != offset) {
    Dwarf_Die child;
    if (!child_around(offset, &scopes.back(), &child)) return name;
    scopes.push_back(child);
  }
  scopes.pop_back();
  std::string text = name;
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    const std::string around = scope_name(&*scope, text);
    if (!around.empty()) text.insert(0, around + "::");
  }
  return text;
}

}  // namespace orrery::elf
