#include "elf/struct_layout_hosted.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>

#include "base/base_name.h"

namespace orrery::elf {
namespace {

/// Of an array's first dimension.
u64 elements_of(Dwarf_Die* type) {
  Dwarf_Die child;
  if (dwarf_tag(type) != DW_TAG_array_type || dwarf_child(type, &child) != 0) return 0;
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(&child, DW_AT_count, &attribute), &value) == 0) return value;
  if (dwarf_formudata(dwarf_attr(&child, DW_AT_upper_bound, &attribute), &value) == 0) return value + 1;
  return 0;
}

StructMember member_of(Dwarf_Die* die) {
  StructMember member;
  Dwarf_Attribute attribute;
  Dwarf_Word offset = 0;
  if (dwarf_formudata(dwarf_attr(die, DW_AT_data_member_location, &attribute), &offset) == 0)
    member.offset = offset;
  Dwarf_Die type;
  if (dwarf_formref_die(dwarf_attr(die, DW_AT_type, &attribute), &type) == nullptr) return member;
  Dwarf_Die peeled = type;
  if (dwarf_peel_type(&type, &peeled) == 0) type = peeled;
  Dwarf_Word size = 0;
  if (dwarf_aggregate_size(&type, &size) == 0) member.size_bytes = size;
  member.elements = elements_of(&type);
  return member;
}

StructLayout layout_of(Dwarf_Die* structure) {
  StructLayout layout;
  Dwarf_Word size = 0;
  if (dwarf_aggregate_size(structure, &size) == 0) layout.size_bytes = size;
  Dwarf_Die child;
  if (dwarf_child(structure, &child) != 0) return layout;
  do {
    const char* const name = dwarf_diename(&child);
    if (name != nullptr && dwarf_tag(&child) == DW_TAG_member) layout.members[name] = member_of(&child);
  } while (dwarf_siblingof(&child, &child) == 0);
  return layout;
}

/// The definition among the unit's own entries: a C structure is nobody's member.
std::optional<StructLayout> find_in(Dwarf_Die* unit, const std::string& name) {
  Dwarf_Die child;
  if (dwarf_child(unit, &child) != 0) return std::nullopt;
  do {
    const char* const known = dwarf_diename(&child);
    if (dwarf_tag(&child) != DW_TAG_structure_type || known == nullptr || name != known) continue;
    if (!dwarf_hasattr(&child, DW_AT_declaration)) return layout_of(&child);
  } while (dwarf_siblingof(&child, &child) == 0);
  return std::nullopt;
}

}  // namespace

std::optional<StructLayout> struct_layout(const Image& image, const std::string& source,
                                          const std::string& name) {
  Dwarf_Addr bias = 0;
  if (image.module == nullptr || dwfl_module_getdwarf(image.module, &bias) == nullptr) return std::nullopt;
  for (Dwarf_Die* unit = dwfl_module_nextcu(image.module, nullptr, &bias); unit != nullptr;
       unit = dwfl_module_nextcu(image.module, unit, &bias)) {
    const char* const file = dwarf_diename(unit);
    if (file == nullptr || base_name(file) != source) continue;
    if (auto found = find_in(unit, name)) return found;
  }
  return std::nullopt;
}

std::optional<u64> object_address(const Image& image, const std::string& name) {
  const int count = image.module == nullptr ? 0 : dwfl_module_getsymtab(image.module);
  for (int index = 1; index < count; ++index) {
    GElf_Sym symbol;
    GElf_Addr address = 0;
    GElf_Word section = 0;
    const char* const known =
        dwfl_module_getsym_info(image.module, index, &symbol, &address, &section, nullptr, nullptr);
    if (known != nullptr && section != SHN_UNDEF && GELF_ST_TYPE(symbol.st_info) == STT_OBJECT &&
        name == known)
      return address;
  }
  return std::nullopt;
}

}  // namespace orrery::elf
