#include "elf/function_die_name_hosted.h"

#include <dwarf.h>

#include "elf/demangle_hosted.h"
#include "elf/scope_names_hosted.h"

namespace orrery::elf {
namespace {

/// The entry that names what a concrete or inlined function is an instance of.
Dwarf_Die declaration_of(Dwarf_Die function) {
  Dwarf_Attribute attribute;
  Dwarf_Die next;
  for (const unsigned link : {unsigned{DW_AT_abstract_origin}, unsigned{DW_AT_specification}}) {
    if (dwarf_attr(&function, link, &attribute) && dwarf_formref_die(&attribute, &next)) function = next;
  }
  return function;
}

/// C has no scopes that names are looked up in from outside.
bool is_in_c(Dwarf_Die* entry) {
  Dwarf_Die unit;
  if (!dwarf_diecu(entry, &unit, nullptr, nullptr)) return false;
  switch (dwarf_srclang(&unit)) {
    case DW_LANG_C89:
    case DW_LANG_C:
    case DW_LANG_C99:
    case DW_LANG_C11:
      return true;
    default:
      return false;
  }
}

/// For functions whose linkage name was left out, since no other unit can know them: the name in its scopes.
std::string qualified_name(Dwarf_Die* function) {
  const char* const own = dwarf_diename(function);
  std::string text = own ? own : "";
  if (text.empty()) return text;
  Dwarf_Die declaration = declaration_of(*function);
  if (is_in_c(&declaration)) return text;
  return in_its_scopes(&declaration, text);
}

}  // namespace

std::string function_name(Dwarf_Die* function) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_MIPS_linkage_name}}) {
    if (!dwarf_attr_integrate(function, name, &attribute)) continue;
    if (const char* text = dwarf_formstring(&attribute)) return demangle(text);
  }
  return qualified_name(function);
}

}  // namespace orrery::elf
