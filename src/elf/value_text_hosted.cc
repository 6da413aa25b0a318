#include "elf/value_text_hosted.h"

#include <dwarf.h>

#include <bit>
#include <cinttypes>
#include <cstdio>
#include <optional>

namespace orrery::elf {
namespace {

constexpr u64 kStringBytesShown = 40;
constexpr int kMembersShown = 4;
constexpr const char* kMore = "…";

std::string hexadecimal(u64 value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%" PRIx64, value);
  return text;
}

u64 number_of(Dwarf_Die* die, unsigned name, u64 otherwise) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  return dwarf_formudata(dwarf_attr_integrate(die, name, &attribute), &value) == 0 ? value : otherwise;
}

bool is_character(Dwarf_Die* type) {
  // unsigned char is how C spells bytes, which are no text.
  const u64 encoding = number_of(type, DW_AT_encoding, 0);
  return dwarf_tag(type) == DW_TAG_base_type && (encoding == DW_ATE_signed_char || encoding == DW_ATE_UTF) &&
         number_of(type, DW_AT_byte_size, 0) == 1;
}

/// How many bytes at `at` are one UTF-8 character; 0 if they are none.
u64 utf8_bytes(const std::string& text, u64 at) {
  const u8 first = static_cast<u8>(text[at]);
  const u64 bytes = first < 0x80                    ? 1
                    : first >= 0xc2 && first < 0xe0 ? 2
                    : (first & 0xf0) == 0xe0        ? 3
                    : (first & 0xf8) == 0xf0        ? 4
                                                    : 0;
  for (u64 i = 1; i < bytes; ++i) {
    if (at + i >= text.size() || (static_cast<u8>(text[at + i]) & 0xc0) != 0x80) return 0;
  }
  return bytes;
}

/// C's escapes for what cannot be printed; the text is cut after kStringBytesShown bytes.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  u64 at = 0;
  while (at < text.size() && at < kStringBytesShown) {
    const char letter = text[at];
    const u64 bytes = utf8_bytes(text, at);
    if (letter == '"' || letter == '\\') {
      out += std::string("\\") + letter;
    } else if (letter == '\n') {
      out += "\\n";
    } else if (letter == '\t') {
      out += "\\t";
    } else if (bytes == 0 || static_cast<u8>(letter) < 0x20 || letter == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<u8>(letter)));
      out += escape;
    } else {
      out += text.substr(at, bytes);
    }
    at += bytes == 0 ? 1 : bytes;
  }
  out += '"';
  return at < text.size() ? out + kMore : out;
}

std::string character_text(u64 bits, bool is_signed) {
  const int value =
      is_signed ? static_cast<int>(static_cast<i8>(bits)) : static_cast<int>(static_cast<u8>(bits));
  std::string text = std::to_string(value);
  if (value >= 0x20 && value < 0x7f) text += std::string(" '") + static_cast<char>(value) + "'";
  return text;
}

std::string base_text(Dwarf_Die* type, u64 bits) {
  const u64 size_bytes = number_of(type, DW_AT_byte_size, 8);
  const u64 shift = size_bytes < 8 ? 64 - 8 * size_bytes : 0;
  char text[48];
  switch (number_of(type, DW_AT_encoding, 0)) {
    case DW_ATE_boolean:
      return (bits << shift) != 0 ? "true" : "false";
    case DW_ATE_signed_char:
      if (size_bytes == 1) return character_text(bits, true);
      [[fallthrough]];
    case DW_ATE_signed:
      return std::to_string(static_cast<i64>(bits << shift) >> shift);
    case DW_ATE_unsigned_char:
      if (size_bytes == 1) return character_text(bits, false);
      [[fallthrough]];
    case DW_ATE_unsigned:
    case DW_ATE_UTF:
      return std::to_string((bits << shift) >> shift);
    case DW_ATE_float:
      if (size_bytes == 4)
        std::snprintf(text, sizeof text, "%g",
                      static_cast<double>(std::bit_cast<float>(static_cast<u32>(bits))));
      else if (size_bytes == 8)
        std::snprintf(text, sizeof text, "%g", std::bit_cast<double>(bits));
      else
        return kMore;
      return text;
    default:
      return hexadecimal(bits);
  }
}

std::string enum_text(Dwarf_Die* type, u64 bits) {
  const u64 size_bytes = number_of(type, DW_AT_byte_size, 4);
  const u64 shift = size_bytes < 8 ? 64 - 8 * size_bytes : 0;
  Dwarf_Die child;
  for (int more = dwarf_child(type, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
    Dwarf_Attribute attribute;
    Dwarf_Sword value = 0;
    if (dwarf_formsdata(dwarf_attr(&child, DW_AT_const_value, &attribute), &value) != 0) continue;
    if ((static_cast<u64>(value) << shift) == (bits << shift) && dwarf_diename(&child))
      return dwarf_diename(&child);
  }
  return std::to_string((bits << shift) >> shift);
}

std::string pointer_text(StoppedMachine& machine, Dwarf_Die* type, u64 bits) {
  if (bits == 0) return "NULL";
  Dwarf_Die pointee;
  if (!resolved_type(type, &pointee) || !is_character(&pointee)) return hexadecimal(bits);
  u8 first = 0;
  if (!machine.read_value(bits, first)) return hexadecimal(bits) + " (not readable)";
  return quoted(machine.read_string(bits, kStringBytesShown + 1));
}

std::string reference_text(StoppedMachine& machine, Dwarf_Die* type, u64 bits) {
  Dwarf_Die target;
  if (bits == 0) return "a null reference";
  if (!resolved_type(type, &target)) return hexadecimal(bits);
  return memory_text(machine, &target, bits, 0);
}

/// Structures and unions by member.
std::string members_text(StoppedMachine& machine, Dwarf_Die* type, u64 address, int depth) {
  if (depth <= 0) return std::string("{") + kMore + "}";
  std::string text = "{";
  int shown = 0;
  Dwarf_Die child;
  for (int more = dwarf_child(type, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
    if (dwarf_tag(&child) != DW_TAG_member) continue;
    Dwarf_Attribute attribute;
    if (dwarf_attr(&child, DW_AT_external, &attribute) ||
        dwarf_attr(&child, DW_AT_data_bit_offset, &attribute))
      continue;
    if (shown++ == kMembersShown) return text + ", " + kMore + "}";
    if (shown > 1) text += ", ";
    if (const char* name = dwarf_diename(&child)) text += std::string(name) + " = ";
    Dwarf_Die member;
    text += resolved_type(&child, &member)
                ? memory_text(machine, &member, address + number_of(&child, DW_AT_data_member_location, 0),
                              depth - 1)
                : kMore;
  }
  return text + "}";
}

std::string array_text(StoppedMachine& machine, Dwarf_Die* type, u64 address) {
  Dwarf_Die element;
  Dwarf_Word size_bytes = 0;
  if (!resolved_type(type, &element) || !is_character(&element) ||
      dwarf_aggregate_size(type, &size_bytes) != 0) {
    return std::string("{") + kMore + "}";
  }
  return quoted(
      machine.read_string(address, size_bytes < kStringBytesShown ? size_bytes : kStringBytesShown + 1));
}

/// Tags that only dress another type.
bool is_transparent(int tag) {
  return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
         tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type;
}

const char* keyword_of(int tag) {
  switch (tag) {
    case DW_TAG_structure_type:
      return "struct ";
    case DW_TAG_union_type:
      return "union ";
    case DW_TAG_enumeration_type:
      return "enum ";
    default:
      return "";
  }
}

bool is_c(Dwarf_Die* die) {
  Dwarf_Die unit;
  if (!dwarf_diecu(die, &unit, nullptr, nullptr)) return false;
  const int language = dwarf_srclang(&unit);
  return language == DW_LANG_C || language == DW_LANG_C89 || language == DW_LANG_C99 ||
         language == DW_LANG_C11;
}

}  // namespace

bool resolved_type(Dwarf_Die* owner, Dwarf_Die* type) {
  Dwarf_Attribute attribute;
  if (!dwarf_formref_die(dwarf_attr_integrate(owner, DW_AT_type, &attribute), type)) return false;
  for (int hops = 0; is_transparent(dwarf_tag(type)); ++hops) {
    Dwarf_Die next;
    if (hops == 64 || !dwarf_formref_die(dwarf_attr_integrate(type, DW_AT_type, &attribute), &next))
      return false;
    *type = next;
  }
  return true;
}

std::string type_name(Dwarf_Die* owner) {
  Dwarf_Attribute attribute;
  Dwarf_Die type;
  if (!dwarf_formref_die(dwarf_attr_integrate(owner, DW_AT_type, &attribute), &type)) return "void";
  const int tag = dwarf_tag(&type);
  switch (tag) {
    case DW_TAG_pointer_type: {
      Dwarf_Die pointee;
      if (resolved_type(&type, &pointee) && dwarf_tag(&pointee) == DW_TAG_subroutine_type)
        return type_name(&pointee) + " (*)()";
      const std::string name = type_name(&type);
      return name + (name.back() == '*' ? "*" : " *");
    }
    case DW_TAG_reference_type:
      return type_name(&type) + " &";
    case DW_TAG_rvalue_reference_type:
      return type_name(&type) + " &&";
    case DW_TAG_const_type:
      return "const " + type_name(&type);
    case DW_TAG_volatile_type:
      return "volatile " + type_name(&type);
    case DW_TAG_restrict_type:
    case DW_TAG_atomic_type:
      return type_name(&type);
    case DW_TAG_array_type:
      return type_name(&type) + " []";
    default:
      break;
  }
  const char* name = dwarf_diename(&type);
  return std::string(is_c(&type) ? keyword_of(tag) : "") + (name ? name : "{…}");
}

std::string scalar_text(StoppedMachine& machine, Dwarf_Die* type, u64 bits) {
  switch (dwarf_tag(type)) {
    case DW_TAG_base_type:
      return base_text(type, bits);
    case DW_TAG_enumeration_type:
      return enum_text(type, bits);
    case DW_TAG_pointer_type:
      return pointer_text(machine, type, bits);
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
      return reference_text(machine, type, bits);
    default:
      return hexadecimal(bits);
  }
}

std::string memory_text(StoppedMachine& machine, Dwarf_Die* type, u64 address, int depth) {
  switch (dwarf_tag(type)) {
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
      return members_text(machine, type, address, depth);
    case DW_TAG_array_type:
      return array_text(machine, type, address);
    default:
      break;
  }
  const u64 size_bytes = dwarf_tag(type) == DW_TAG_base_type || dwarf_tag(type) == DW_TAG_enumeration_type
                             ? number_of(type, DW_AT_byte_size, 8)
                             : 8;
  u64 bits = 0;
  if (size_bytes > sizeof bits) return kMore;
  if (machine.read(address, {reinterpret_cast<u8*>(&bits), size_bytes}) != size_bytes) {
    return "<" + hexadecimal(address) + " is not readable>";
  }
  return scalar_text(machine, type, bits);
}

}  // namespace orrery::elf
