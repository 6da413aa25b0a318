#include "elf/scope_names_hosted.h"

#include <dwarf.h>

#include <cstdlib>

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

}  // namespace

std::string in_its_scopes(Dwarf_Die* entry, const std::string& name) {
  std::string text = name;
  Dwarf_Die* scopes = nullptr;
  const int depth = dwarf_getscopes_die(entry, &scopes);
  for (int i = 1; i < depth; ++i) {  // the first is the entry itself
    const std::string scope = scope_name(&scopes[i], text);
    if (!scope.empty()) text.insert(0, scope + "::");
  }
  std::free(scopes);
  return text;
}

}  // namespace orrery::elf
