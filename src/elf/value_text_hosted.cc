#include "elf/value_text_hosted.h"

#include <dwarf.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <set>

#include "elf/dwarf_expression_hosted.h"
#include "elf/quoted_text_hosted.h"
#include "elf/scope_names_hosted.h"
#include "elf/symbolizer_hosted.h"

namespace orrery::elf {
namespace {

constexpr const char* kMore = "…";
constexpr const char* kGone = "<optimized out>";

struct Limits {
  u64 string_bytes;
  int members, elements, depth;
};
constexpr Limits kLimits[] = {{40, 4, 0, 1}, {200, 200, 200, 20}};
/// More equal elements in a row are shown as one, as gdb does.
constexpr u64 kRepeatsMost = 10;

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

std::string character_text(u64 bits, bool is_signed) {
  const int value =
      is_signed ? static_cast<int>(static_cast<i8>(bits)) : static_cast<int>(static_cast<u8>(bits));
  std::string text = std::to_string(value);
  if (value >= 0x20 && value < 0x7f) text += std::string(" '") + static_cast<char>(value) + "'";
  return text;
}

/// The shortest that means the same number.
std::string float_text(u64 bits, u64 size_bytes) {
  char text[48];
  std::to_chars_result end{text, {}};
  if (size_bytes == 4)
    end = std::to_chars(text, text + sizeof text, std::bit_cast<float>(static_cast<u32>(bits)));
  if (size_bytes == 8) end = std::to_chars(text, text + sizeof text, std::bit_cast<double>(bits));
  return end.ptr == text ? kMore : std::string(text, end.ptr);
}

std::string base_text(Dwarf_Die* type, u64 bits) {
  const u64 size_bytes = number_of(type, DW_AT_byte_size, 8);
  const u64 shift = size_bytes < 8 ? 64 - 8 * size_bytes : 0;
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
      return float_text(bits, size_bytes);
    default:
      return hexadecimal(bits);
  }
}

bool is_c(Dwarf_Die* die) {
  Dwarf_Die unit;
  if (!dwarf_diecu(die, &unit, nullptr, nullptr)) return false;
  const int language = dwarf_srclang(&unit);
  return language == DW_LANG_C || language == DW_LANG_C89 || language == DW_LANG_C99 ||
         language == DW_LANG_C11;
}

/// Of C++, with its scopes.
std::string enumerator_name(Dwarf_Die* type, const char* name) {
  const char* const own = dwarf_diename(type);
  Dwarf_Attribute attribute;
  if (is_c(type)) return name;
  const bool is_scoped = own && dwarf_attr(type, DW_AT_enum_class, &attribute);
  return is_scoped ? in_its_scopes(type, own) + "::" + name : in_its_scopes(type, name);
}

/// The enumerator of that value; of flags, those that make it up.
std::string enum_text(Dwarf_Die* type, u64 bits, u64 size_bytes) {
  const u64 shift = size_bytes < 8 ? 64 - 8 * size_bytes : 0;
  const u64 value = (bits << shift) >> shift;
  u64 left = value;
  bool are_flags = value != 0;
  std::string flags;
  Dwarf_Die child;
  for (int more = dwarf_child(type, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
    Dwarf_Attribute attribute;
    Dwarf_Sword number = 0;
    const char* const name = dwarf_diename(&child);
    if (!name || dwarf_formsdata(dwarf_attr(&child, DW_AT_const_value, &attribute), &number) != 0) continue;
    const u64 each = (static_cast<u64>(number) << shift) >> shift;
    if (each == value) return enumerator_name(type, name);
    are_flags &= std::has_single_bit(each) || each == 0;
    if (each == 0 || (left & each) == 0) continue;
    flags += (flags.empty() ? "" : " | ") + std::string(name);
    left &= ~each;
  }
  if (are_flags && left == 0) return "(" + flags + ")";
  return std::to_string(static_cast<i64>(bits << shift) >> shift);
}

std::string bytes_hexadecimal(const u8* bytes, u64 size_bytes) {
  std::string text = "0x";
  u64 at = size_bytes;
  while (at > 1 && bytes[at - 1] == 0) --at;
  for (char digits[4]; at > 0; --at) {
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(bytes[at - 1]));
    text += digits;
  }
  return text;
}

/// Base types wider than eight bytes: long double, and __int128 in hexadecimal.
std::string wide_text(Dwarf_Die* type, const u8* bytes, u64 size_bytes) {
  if (number_of(type, DW_AT_encoding, 0) != DW_ATE_float || size_bytes != sizeof(long double))
    return bytes_hexadecimal(bytes, size_bytes);
  long double value = 0;
  std::memcpy(&value, bytes, sizeof value);
  char text[64];
  std::snprintf(text, sizeof text, "%.18Lg", value);
  return text;
}

const char* unknown_words(Known why) { return why == Known::unreadable ? "<not readable>" : kGone; }

/// One value, printed part by part.
class Printer {
 public:
  Printer(const ValueContext& context, const ValueBytes& value, Detail detail)
      : context_(context), value_(value), brief_(detail == Detail::brief), limits_(kLimits[brief_ ? 0 : 1]) {}

  std::string text(Dwarf_Die* type, u64 offset, int depth) {
    switch (dwarf_tag(type)) {
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_union_type:
        return object(type, offset, depth);
      case DW_TAG_array_type: {
        const std::vector<u64> dimensions = array_dimensions(type, context_);
        return array(type, dimensions, 0, offset, depth);
      }
      default:
        return scalar(type, offset, depth);
    }
  }
  int depth() const { return limits_.depth; }

 private:
  std::string scalar(Dwarf_Die* type, u64 offset, int depth) {
    const u64 size_bytes = size_of_type(type, context_);
    Known why = Known::yes;
    if (size_bytes == 0) return kMore;
    if (!value_.whole(offset, size_bytes, why)) return unknown_words(why);
    u64 bits = 0;
    if (size_bytes > sizeof bits) return wide_text(type, value_.bytes.data() + offset, size_bytes);
    std::memcpy(&bits, value_.bytes.data() + offset, size_bytes);
    switch (dwarf_tag(type)) {
      case DW_TAG_base_type:
        return base_text(type, bits);
      case DW_TAG_enumeration_type:
        return enum_text(type, bits, size_bytes);
      case DW_TAG_pointer_type:
        return pointer(type, bits);
      case DW_TAG_reference_type:
      case DW_TAG_rvalue_reference_type:
        return reference(type, bits, depth);
      default:
        return hexadecimal(bits);
    }
  }

  std::string pointer(Dwarf_Die* type, u64 bits) {
    if (bits == 0) return "NULL";
    Dwarf_Die pointee;
    if (!resolved_type(type, &pointee)) return hexadecimal(bits);
    if (dwarf_tag(&pointee) == DW_TAG_subroutine_type) return hexadecimal(bits) + function_name(bits);
    if (!is_character(&pointee)) return hexadecimal(bits);
    u8 first = 0;
    if (!context_.machine.read_value(bits, first)) return hexadecimal(bits) + " (not readable)";
    const std::string words =
        quoted(context_.machine.read_string(bits, limits_.string_bytes + 1), limits_.string_bytes);
    return brief_ ? words : hexadecimal(bits) + " " + words;
  }

  std::string function_name(u64 address) {
    if (brief_ || !context_.images) return "";
    const Location location = locate(*context_.images, address);
    if (location.symbol.empty()) return "";
    const u64 offset = location.symbol_offset;
    return " <" + location.symbol + (offset != 0 ? "+" + std::to_string(offset) : "") + ">";
  }

  std::string reference(Dwarf_Die* type, u64 bits, int depth) {
    Dwarf_Die target;
    if (bits == 0) return "a null reference";
    if (!resolved_type(type, &target)) return hexadecimal(bits);
    const ValueBytes there = read_value_bytes(context_.machine, bits, size_of_type(&target, context_));
    Printer printer(context_, there, brief_ ? Detail::brief : Detail::full);
    const std::string text = printer.text(&target, 0, brief_ ? 0 : depth - 1);
    return brief_ ? text : "@" + hexadecimal(bits) + ": " + text;
  }

  /// Of a whole object; a virtual base that several of its bases have is shown once, as gdb does.
  std::string object(Dwarf_Die* type, u64 offset, int depth) {
    std::set<const void*> before;
    std::swap(virtual_bases_, before);
    const std::string text = members(type, offset, depth);
    std::swap(virtual_bases_, before);
    return text;
  }

  std::string members(Dwarf_Die* type, u64 offset, int depth) {
    if (depth <= 0) return std::string("{") + kMore + "}";
    Known why = Known::yes;
    const u64 size_bytes = size_of_type(type, context_);
    if (size_bytes != 0 && all_unknown(offset, size_bytes, why)) return unknown_words(why);
    std::string text = "{";
    int shown = 0;
    Dwarf_Die child;
    for (int more = dwarf_child(type, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
      const int tag = dwarf_tag(&child);
      Dwarf_Attribute attribute;
      if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
          dwarf_attr(&child, DW_AT_external, &attribute) || dwarf_attr(&child, DW_AT_declaration, &attribute))
        continue;
      if (tag == DW_TAG_inheritance && !is_first(&child)) continue;
      if (shown++ == limits_.members) return text + ", " + kMore + "}";
      if (shown > 1) text += ", ";
      text += tag == DW_TAG_inheritance ? "<" + type_name(&child) + "> = " : member_name(&child);
      text += tag == DW_TAG_inheritance ? base(&child, offset, depth) : member(&child, offset, depth);
    }
    return text + "}";
  }

  static std::string member_name(Dwarf_Die* member) {
    const char* const name = dwarf_diename(member);
    return name ? std::string(name) + " = " : "";
  }

  std::string member(Dwarf_Die* member, u64 offset, int depth) {
    Dwarf_Die type;
    if (!resolved_type(member, &type)) return kMore;
    const u64 width = number_of(member, DW_AT_bit_size, 0);
    if (width != 0) return bit_field(member, &type, offset, width);
    return text(&type, offset + number_of(member, DW_AT_data_member_location, 0), depth - 1);
  }

  static bool is_virtual(Dwarf_Die* inheritance) {
    return number_of(inheritance, DW_AT_virtuality, DW_VIRTUALITY_none) == DW_VIRTUALITY_virtual;
  }

  bool is_first(Dwarf_Die* inheritance) {
    Dwarf_Die type;
    return !is_virtual(inheritance) || !resolved_type(inheritance, &type) ||
           virtual_bases_.insert(type.addr).second;
  }

  std::string base(Dwarf_Die* inheritance, u64 offset, int depth) {
    Dwarf_Die type;
    if (!resolved_type(inheritance, &type)) return kMore;
    if (!is_virtual(inheritance))
      return members(&type, offset + number_of(inheritance, DW_AT_data_member_location, 0), depth - 1);
    const std::optional<u64> place = virtual_place(inheritance, offset);
    if (!place) return kMore;
    const ValueBytes there = read_value_bytes(context_.machine, *place, size_of_type(&type, context_));
    Printer printer(context_, there, brief_ ? Detail::brief : Detail::full);
    std::swap(printer.virtual_bases_, virtual_bases_);
    const std::string text = printer.members(&type, 0, depth - 1);
    std::swap(printer.virtual_bases_, virtual_bases_);
    return text;
  }

  /// Where the virtual base of the object at `offset` lies: an expression over its address, which asks its
  /// virtual table (DWARF 5, 5.7.3).
  std::optional<u64> virtual_place(Dwarf_Die* inheritance, u64 offset) {
    Dwarf_Attribute attribute;
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    if (!value_.address || !dwarf_attr(inheritance, DW_AT_data_member_location, &attribute) ||
        dwarf_getlocation(&attribute, &operations, &count) != 0)
      return std::nullopt;
    std::vector<Dwarf_Op> all{
        {.atom = DW_OP_const8u, .number = *value_.address + offset, .number2 = 0, .offset = 0}};
    all.insert(all.end(), operations, operations + count);
    const FrameRegisters none{};
    const auto found =
        evaluate({.machine = context_.machine, .registers = none, .cfa = {}, .attribute = &attribute}, all);
    if (!found || found->place != Place::memory) return std::nullopt;
    return found->number;
  }

  std::string bit_field(Dwarf_Die* member, Dwarf_Die* type, u64 offset, u64 width) {
    Dwarf_Attribute attribute;
    u64 first = number_of(member, DW_AT_data_bit_offset, 0);
    if (!dwarf_attr(member, DW_AT_data_bit_offset, &attribute)) {
      // DWARF 3 counts from the most significant bit of the storage unit.
      const u64 unit_bits = 8 * number_of(member, DW_AT_byte_size, size_of_type(type, context_));
      first = 8 * number_of(member, DW_AT_data_member_location, 0) + unit_bits -
              number_of(member, DW_AT_bit_offset, 0) - width;
    }
    const u64 begin = offset + first / 8, bytes = (first % 8 + width + 7) / 8;
    Known why = Known::yes;
    if (width > 64 || bytes > 8) return kMore;
    if (!value_.whole(begin, bytes, why)) return unknown_words(why);
    u64 bits = 0;
    std::memcpy(&bits, value_.bytes.data() + begin, bytes);
    bits = bits >> (first % 8) << (64 - width);
    const bool is_signed = number_of(type, DW_AT_encoding, 0) == DW_ATE_signed;
    bits = is_signed ? static_cast<u64>(static_cast<i64>(bits) >> (64 - width)) : bits >> (64 - width);
    return dwarf_tag(type) == DW_TAG_enumeration_type ? enum_text(type, bits, size_of_type(type, context_))
                                                      : base_text(type, bits);
  }

  std::string array(Dwarf_Die* type, const std::vector<u64>& dimensions, u64 level, u64 offset, int depth) {
    Dwarf_Die element;
    if (level >= dimensions.size() || !resolved_type(type, &element)) return std::string("{") + kMore + "}";
    const bool innermost = level + 1 == dimensions.size();
    if (innermost && is_character(&element)) return character_array(dimensions[level], offset);
    if (limits_.elements == 0 || depth <= 0) return std::string("{") + kMore + "}";
    u64 step = size_of_type(&element, context_);
    for (u64 i = level + 1; i < dimensions.size(); ++i) step *= dimensions[i];
    const auto one = [&](u64 index) {
      const u64 at = offset + index * step;
      return innermost ? text(&element, at, depth - 1) : array(type, dimensions, level + 1, at, depth - 1);
    };
    return "{" + elements(dimensions[level], one) + "}";
  }

  template <class One>
  std::string elements(u64 count, const One& one) {
    std::string out;
    u64 shown = 0;
    for (u64 i = 0; i < count;) {
      if (shown >= static_cast<u64>(limits_.elements)) return out + kMore;
      const std::string text = one(i);
      u64 same = 1;
      while (i + same < count && same < 100'000 && one(i + same) == text) ++same;
      const bool repeats = same > kRepeatsMost;
      out += (i == 0 ? "" : ", ") + text;
      if (repeats) out += " <repeats " + std::to_string(same) + " times>";
      shown += repeats ? kRepeatsMost : 1;
      i += repeats ? same : 1;
    }
    return out;
  }

  /// Up to its NUL, as C reads it.
  std::string character_array(u64 count, u64 offset) {
    Known why = Known::yes;
    const u64 most = std::min(count, limits_.string_bytes + 1);
    if (!value_.whole(offset, most, why)) return unknown_words(why);
    const char* const begin = reinterpret_cast<const char*>(value_.bytes.data() + offset);
    const char* const end = std::find(begin, begin + most, '\0');
    return quoted(std::string(begin, end), limits_.string_bytes);
  }

  bool all_unknown(u64 offset, u64 size_bytes, Known& why) const {
    const u64 end = std::min<u64>(offset + size_bytes, value_.known.size());
    for (u64 i = offset; i < end; ++i) {
      if (value_.known[i] == Known::yes) return false;
      why = value_.known[i];
    }
    return offset < end;
  }

  const ValueContext& context_;
  const ValueBytes& value_;
  bool brief_;
  const Limits& limits_;
  std::set<const void*> virtual_bases_;  ///< of the present object, those that were shown
};

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

/// Its type is a typedef.
bool is_named(Dwarf_Die* owner) {
  Dwarf_Attribute attribute;
  Dwarf_Die type;
  return dwarf_formref_die(dwarf_attr_integrate(owner, DW_AT_type, &attribute), &type) &&
         dwarf_tag(&type) == DW_TAG_typedef;
}

std::string parameter_names(Dwarf_Die* function) {
  std::string names;
  bool any = false;
  Dwarf_Die child;
  for (int more = dwarf_child(function, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
    const int tag = dwarf_tag(&child);
    if (tag != DW_TAG_formal_parameter && tag != DW_TAG_unspecified_parameters) continue;
    names += (any ? ", " : "") + (tag == DW_TAG_formal_parameter ? type_name(&child) : "...");
    any = true;
  }
  return names;
}

std::string array_name(Dwarf_Die* array) {
  std::string name = type_name(array) + " ";
  Dwarf_Die child;
  for (int more = dwarf_child(array, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
    if (dwarf_tag(&child) != DW_TAG_subrange_type) continue;
    const u64 count = number_of(&child, DW_AT_count, number_of(&child, DW_AT_upper_bound, ~u64{0}) + 1);
    name += count == 0 ? "[]" : "[" + std::to_string(count) + "]";
  }
  return name;
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
      if (resolved_type(&type, &pointee) && dwarf_tag(&pointee) == DW_TAG_subroutine_type && !is_named(&type))
        return type_name(&pointee) + " (*)(" + parameter_names(&pointee) + ")";
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
      return array_name(&type);
    case DW_TAG_subroutine_type:
      return type_name(&type) + " (" + parameter_names(&type) + ")";
    default:
      break;
  }
  const char* name = dwarf_diename(&type);
  if (is_c(&type)) return keyword_of(tag) + std::string(name ? name : "{…}");
  if (!name || tag == DW_TAG_base_type) return name ? name : "{…}";
  return in_its_scopes(&type, name);
}

bool ValueBytes::whole(u64 offset, u64 size_bytes, Known& why) const {
  why = Known::unreadable;
  if (offset + size_bytes > bytes.size()) return false;
  for (u64 i = 0; i < size_bytes; ++i) {
    why = known[offset + i];
    if (why != Known::yes) return false;
  }
  return true;
}

ValueBytes read_value_bytes(StoppedMachine& machine, u64 address, u64 size_bytes) {
  /// More than any report shows.
  constexpr u64 kBytesMost = 64 * 1024;
  ValueBytes value{.address = address};
  value.bytes.resize(std::min(size_bytes, kBytesMost));
  const u64 got = machine.read(address, value.bytes);
  value.known.assign(value.bytes.size(), Known::yes);
  std::fill(value.known.begin() + static_cast<i64>(got), value.known.end(), Known::unreadable);
  return value;
}

std::vector<u64> array_dimensions(Dwarf_Die* array, const ValueContext& context) {
  std::vector<u64> dimensions;
  Dwarf_Die child;
  for (int more = dwarf_child(array, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
    if (dwarf_tag(&child) != DW_TAG_subrange_type) continue;
    std::optional<u64> count;
    for (const unsigned name : {unsigned{DW_AT_count}, unsigned{DW_AT_upper_bound}}) {
      Dwarf_Attribute attribute;
      Dwarf_Word number = 0;
      if (count || !dwarf_attr_integrate(&child, name, &attribute)) continue;
      if (dwarf_formudata(&attribute, &number) == 0)
        count = number;
      else if (context.number)
        count = context.number(&attribute);
      if (count && name == DW_AT_upper_bound) ++*count;
    }
    if (!count) return dimensions;
    dimensions.push_back(*count);
  }
  return dimensions;
}

u64 size_of_type(Dwarf_Die* type, const ValueContext& context) {
  switch (dwarf_tag(type)) {
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
      return 8;
    case DW_TAG_ptr_to_member_type: {
      Dwarf_Die pointee;
      const bool function = resolved_type(type, &pointee) && dwarf_tag(&pointee) == DW_TAG_subroutine_type;
      return function ? 16 : 8;
    }
    case DW_TAG_array_type: {
      Dwarf_Die element;
      if (!resolved_type(type, &element)) return 0;
      u64 size_bytes = size_of_type(&element, context);
      const std::vector<u64> dimensions = array_dimensions(type, context);
      for (const u64 each : dimensions) size_bytes *= each;
      return dimensions.empty() ? 0 : size_bytes;
    }
    default:
      return number_of(type, DW_AT_byte_size, 0);
  }
}

std::string value_text(const ValueContext& context, Dwarf_Die* type, const ValueBytes& value, Detail detail) {
  Printer printer(context, value, detail);
  return printer.text(type, 0, printer.depth());
}

}  // namespace orrery::elf
