#include "elf/data_types_hosted.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <unordered_map>

#include "elf/dwarf_scope_hosted.h"
#include "elf/value_text_hosted.h"

namespace orrery::elf {
namespace {

/// Structures within each other, and blocks; a damaged file may have them without end.
constexpr int kDepthMost = 64;
constexpr u64 kNoLimit = ~u64{0};

/// DWARF's numbers of the general registers (psABI, 3.6.2) as the encoding numbers them.
constexpr u8 kEncoded[] = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};

std::optional<u8> encoded(u64 dwarf_register) {
  if (dwarf_register >= std::size(kEncoded)) return std::nullopt;
  return kEncoded[dwarf_register];
}

std::optional<u64> number_of(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr_integrate(die, name, &attribute), &value) != 0) return std::nullopt;
  return value;
}

bool is_record(int tag) {
  return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

TypeKind kind_of(int tag) {
  if (is_record(tag)) return TypeKind::record;
  if (tag == DW_TAG_array_type) return TypeKind::array;
  const bool leads =
      tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type;
  return leads ? TypeKind::pointer : TypeKind::scalar;
}

/// 0 if it is not known: of a declaration, or of an array without a length.
u64 size_of(Dwarf_Die* type) {
  Dwarf_Word bytes = 0;
  return dwarf_aggregate_size(type, &bytes) == 0 ? bytes : 0;
}

/// An operation that adds a constant to a register, or names one.
struct RegisterPlus {
  u8 reg = 0;
  i64 offset = 0;
};

std::optional<RegisterPlus> register_plus(const Dwarf_Op& op) {
  std::optional<u8> reg;
  i64 offset = 0;
  if (op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg31) {
    reg = encoded(op.atom - DW_OP_breg0);
    offset = static_cast<i64>(op.number);
  } else if (op.atom == DW_OP_bregx) {
    reg = encoded(op.number);
    offset = static_cast<i64>(op.number2);
  }
  if (!reg) return std::nullopt;
  return RegisterPlus{*reg, offset};
}

std::optional<u8> register_of(const Dwarf_Op& op) {
  if (op.atom >= DW_OP_reg0 && op.atom <= DW_OP_reg31) return encoded(op.atom - DW_OP_reg0);
  return op.atom == DW_OP_regx ? encoded(op.number) : std::nullopt;
}

}  // namespace

class DataTypes::Reader {
 public:
  explicit Reader(const Image& image) : image_(image), types_(1) {
    Dwarf_Addr bias = 0;
    exists_ = dwfl_module_getdwarf(image.module, &bias) != nullptr;
  }

  bool exists() const { return exists_; }
  const DataType& type(TypeId id) const { return types_[id].type; }

  MemberPlace member_at(TypeId id, u64 offset, u64 access_bytes) {
    MemberPlace place{.size_bytes = types_[id].type.size_bytes, .type = id, .within_bytes = offset};
    if (id == kNoType) return place;
    Dwarf_Die die = types_[id].die;
    descend(&die, offset, access_bytes, kDepthMost, place);
    return place;
  }

  std::vector<VariablePlace> variables_of(u64 pc) {
    std::vector<VariablePlace> places;
    DwarfScope scope = find_scope(image_, pc);
    if (scope.functions.empty()) return places;
    Dwarf_Die& function = scope.functions.back();
    const std::optional<VariablePlace> base = frame_base(&function);
    add_variables(&function, scope.bias, base, kDepthMost, places);
    return places;
  }

  TypeId returned_by(u64 entry) {
    const auto [known, is_new] = returned_.try_emplace(entry, kNoType);
    if (!is_new) return known->second;
    DwarfScope scope = find_scope(image_, entry);
    Dwarf_Addr first = 0;
    const bool is_entry = !scope.functions.empty() && dwarf_entrypc(&scope.functions.back(), &first) == 0 &&
                          first + scope.bias == entry;
    const TypeId type = is_entry ? type_of(&scope.functions.back()) : kNoType;
    return returned_[entry] = type;
  }

  const GlobalVariable* global_at(u64 address) {
    if (!globals_read_) read_globals();
    auto above = std::upper_bound(
        globals_.begin(), globals_.end(), address,
        [](u64 wanted, const GlobalVariable& variable) { return wanted < variable.address; });
    if (above == globals_.begin()) return nullptr;
    --above;
    return address - above->address < above->size_bytes ? &*above : nullptr;
  }

  std::optional<FrameRule> frame_at(u64 pc) {
    for (const bool eh : {true, false}) {
      Dwarf_Addr bias = 0;
      Dwarf_CFI* const cfi =
          eh ? dwfl_module_eh_cfi(image_.module, &bias) : dwfl_module_dwarf_cfi(image_.module, &bias);
      Dwarf_Frame* frame = nullptr;
      if (cfi == nullptr || dwarf_cfi_addrframe(cfi, pc - bias, &frame) != 0) continue;
      const std::unique_ptr<Dwarf_Frame, decltype(&std::free)> owned(frame, &std::free);
      Dwarf_Op* operations = nullptr;
      size_t count = 0;
      Dwarf_Addr begin = 0, end = 0;
      if (dwarf_frame_cfa(frame, &operations, &count) != 0 || count != 1) return std::nullopt;
      const std::optional<RegisterPlus> rule = register_plus(operations[0]);
      if (!rule || dwarf_frame_info(frame, &begin, &end, nullptr) < 0) return std::nullopt;
      return FrameRule{.begin = begin + bias, .end = end + bias, .reg = rule->reg, .offset = rule->offset};
    }
    return std::nullopt;
  }

  std::vector<u8> code_at(u64 address, u64 size_bytes) {
    GElf_Addr bias = 0;
    Elf* const elf = dwfl_module_getelf(image_.module, &bias);
    size_t count = 0;
    if (elf == nullptr || elf_getphdrnum(elf, &count) != 0) return {};
    for (size_t at = 0; at < count; ++at) {
      GElf_Phdr header;
      if (!gelf_getphdr(elf, static_cast<int>(at), &header) || header.p_type != PT_LOAD) continue;
      const u64 within = address - bias - header.p_vaddr;
      if (within >= header.p_filesz) continue;
      const u64 bytes = std::min<u64>(size_bytes, header.p_filesz - within);
      const Elf_Data* const data =
          elf_getdata_rawchunk(elf, static_cast<int64_t>(header.p_offset + within), bytes, ELF_T_BYTE);
      if (data == nullptr) return {};
      const auto* const begin = static_cast<const u8*>(data->d_buf);
      return {begin, begin + data->d_size};
    }
    return {};
  }

 private:
  struct Known {
    DataType type{};
    Dwarf_Die die{};
  };

  /// The type that an entry has; kNoType for void.
  TypeId type_of(Dwarf_Die* owner) {
    Dwarf_Die type;
    if (!resolved_type(owner, &type)) return kNoType;
    const auto [known, is_new] = ids_.try_emplace(type.addr, static_cast<TypeId>(types_.size()));
    const TypeId id = known->second;
    if (!is_new) return id;
    types_.push_back(
        {.type = {.kind = kind_of(dwarf_tag(&type)), .size_bytes = size_of(&type)}, .die = type});
    DataType made = types_[id].type;
    Dwarf_Die named = *owner;
    made.name = name_of(&named, &type);
    if (made.kind == TypeKind::pointer) made.target = type_of(&type);
    if (made.kind == TypeKind::array) {
      made.target = type_of(&type);
      const DataType element = types_[made.target].type;
      made.name = element.name + "[]";
      if (element.kind == TypeKind::array) made.target = element.target, made.name = element.name;
    }
    types_[id].type = made;
    return id;
  }

  /// Without typedefs and qualifiers, unless the type has no name but a typedef's.
  static std::string name_of(Dwarf_Die* owner, Dwarf_Die* resolved) {
    Dwarf_Attribute attribute;
    Dwarf_Die next, last = *owner;
    for (int hops = 0; hops < kDepthMost; ++hops) {
      if (!dwarf_formref_die(dwarf_attr_integrate(&last, DW_AT_type, &attribute), &next)) break;
      const bool is_unnamed = is_record(dwarf_tag(resolved)) && dwarf_diename(resolved) == nullptr;
      if (next.addr == resolved->addr || (is_unnamed && dwarf_tag(&next) == DW_TAG_typedef)) break;
      last = next;
    }
    return type_name(&last);
  }

  // --- members ---

  /// From `type` to the innermost member at `offset`, which is added to the place.
  void descend(Dwarf_Die* type, u64 offset, u64 access_bytes, int depth, MemberPlace& place) {
    if (depth == 0) return;
    const int tag = dwarf_tag(type);
    Dwarf_Die element;
    if (tag == DW_TAG_array_type && resolved_type(type, &element)) {
      const u64 bytes = size_of(&element);
      if (bytes == 0) return;
      if (!place.path.empty()) place.path += "[]";
      place.type = type_of(type);
      place.size_bytes = bytes;
      place.within_bytes = offset % bytes;
      return descend(&element, offset % bytes, access_bytes, depth - 1, place);
    }
    if (!is_record(tag)) return;
    u64 begin = 0;
    Dwarf_Die member;
    if (!find_member(type, offset, access_bytes, member, begin)) return;
    Dwarf_Die inner;
    if (!resolved_type(&member, &inner)) return;
    const bool is_base = dwarf_tag(&member) == DW_TAG_inheritance;
    const char* const name = is_base ? dwarf_diename(&inner) : dwarf_diename(&member);
    if (name != nullptr) {
      const bool joined = place.path.empty() || place.path.ends_with("::");
      // A base's template arguments are told by the type that has it.
      const std::string_view own = is_base ? std::string_view(name, std::strcspn(name, "<")) : name;
      place.path += (joined ? "" : ".") + std::string(own) + (is_base ? "::" : "");
    }
    place.offset_bytes += begin;
    place.size_bytes = size_of(&inner);
    place.type = type_of(&member);
    place.within_bytes = offset - begin;
    descend(&inner, offset - begin, access_bytes, depth - 1, place);
  }

  /// The member that holds the byte; where several do, the first that is as large as the access.
  bool find_member(Dwarf_Die* record, u64 offset, u64 access_bytes, Dwarf_Die& found, u64& begin) {
    Dwarf_Die child;
    bool any = false;
    for (int more = dwarf_child(record, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
      const auto extent = extent_of(&child);
      if (!extent || offset < extent->first || offset - extent->first >= extent->second) continue;
      const bool fits = extent->second == access_bytes;
      // A base's last bytes, or an empty base's only one, may be a member's.
      const bool is_bases = any && dwarf_tag(&found) == DW_TAG_inheritance;
      if (any && !fits && !is_bases) continue;
      found = child;
      begin = extent->first;
      any = true;
      if (fits) break;
    }
    return any;
  }

  /// Where a member begins and its bytes; nothing for what has no place of its own.
  static std::optional<std::pair<u64, u64>> extent_of(Dwarf_Die* member) {
    const int tag = dwarf_tag(member);
    if (tag != DW_TAG_member && tag != DW_TAG_inheritance) return std::nullopt;
    Dwarf_Attribute attribute;
    Dwarf_Die type;
    const bool is_static = dwarf_attr(member, DW_AT_external, &attribute) != nullptr ||
                           dwarf_attr(member, DW_AT_declaration, &attribute) != nullptr;
    if (is_static || dwarf_attr(member, DW_AT_virtuality, &attribute) != nullptr ||
        !resolved_type(member, &type))
      return std::nullopt;
    const u64 begin = number_of(member, DW_AT_data_member_location).value_or(0);
    if (const auto bits = number_of(member, DW_AT_data_bit_offset)) {
      const u64 width = number_of(member, DW_AT_bit_size).value_or(1);
      return std::pair(*bits / 8, (*bits % 8 + width + 7) / 8);
    }
    const u64 bytes = size_of(&type);
    // A flexible array goes on to the end of whatever was allocated.
    const bool is_open = bytes == 0 && dwarf_tag(&type) == DW_TAG_array_type;
    return std::pair(begin, is_open ? kNoLimit : bytes);
  }

  // --- variables ---

  /// Where offsets of DW_OP_fbreg count from, as if it were a variable; its offset is of the base.
  static std::optional<VariablePlace> frame_base(Dwarf_Die* function) {
    Dwarf_Attribute attribute;
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    if (dwarf_attr_integrate(function, DW_AT_frame_base, &attribute) == nullptr ||
        dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1)
      return std::nullopt;
    if (operations[0].atom == DW_OP_call_frame_cfa) return VariablePlace{};
    if (const auto reg = register_of(operations[0]))
      return VariablePlace{.kind = VariablePlace::Kind::memory, .reg = *reg};
    const auto plus = register_plus(operations[0]);
    if (!plus) return std::nullopt;
    return VariablePlace{.kind = VariablePlace::Kind::memory, .reg = plus->reg, .offset = plus->offset};
  }

  void add_variables(Dwarf_Die* block, u64 bias, const std::optional<VariablePlace>& base, int depth,
                     std::vector<VariablePlace>& places) {
    Dwarf_Die child;
    if (depth == 0) return;
    for (int more = dwarf_child(block, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable)
        add_variable(&child, block, bias, base, places);
      const bool is_block = tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine ||
                            tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
      if (is_block) add_variables(&child, bias, base, depth - 1, places);
    }
  }

  void add_variable(Dwarf_Die* variable, Dwarf_Die* block, u64 bias, const std::optional<VariablePlace>& base,
                    std::vector<VariablePlace>& places) {
    Dwarf_Attribute attribute;
    if (dwarf_attr_integrate(variable, DW_AT_location, &attribute) == nullptr) return;
    const TypeId type = type_of(variable);
    if (type == kNoType) return;
    Dwarf_Addr list_base = 0, begin = 0, end = 0;
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    for (ptrdiff_t next = 0;
         (next = dwarf_getlocations(&attribute, next, &list_base, &begin, &end, &operations, &count)) > 0;) {
      std::optional<VariablePlace> place = place_of({operations, count}, base);
      if (!place) continue;
      place->type = type;
      const bool everywhere = begin == 0 && end == kNoLimit;
      if (everywhere) {
        Dwarf_Addr of_ranges = 0;
        for (ptrdiff_t range = 0; (range = dwarf_ranges(block, range, &of_ranges, &begin, &end)) > 0;)
          add_range(*place, begin + bias, end + bias, places);
      } else {
        add_range(*place, begin + bias, end + bias, places);
      }
    }
  }

  static void add_range(VariablePlace place, u64 begin, u64 end, std::vector<VariablePlace>& places) {
    place.begin = begin, place.end = end;
    places.push_back(place);
  }

  static std::optional<VariablePlace> place_of(std::span<const Dwarf_Op> operations,
                                               const std::optional<VariablePlace>& base) {
    if (operations.empty()) return std::nullopt;
    const Dwarf_Op& first = operations[0];
    if (operations.size() == 1) {
      if (const auto reg = register_of(first))
        return VariablePlace{.kind = VariablePlace::Kind::in_register, .reg = *reg};
      if (const auto plus = register_plus(first))
        return VariablePlace{.kind = VariablePlace::Kind::memory, .reg = plus->reg, .offset = plus->offset};
      if (first.atom != DW_OP_fbreg || !base) return std::nullopt;
      VariablePlace place = *base;
      place.offset += static_cast<i64>(first.number);
      return place;
    }
    const auto plus = register_plus(first);
    if (operations.size() != 2 || operations[1].atom != DW_OP_stack_value || !plus) return std::nullopt;
    return VariablePlace{.kind = VariablePlace::Kind::in_register, .reg = plus->reg, .offset = -plus->offset};
  }

  // --- variables with a fixed address ---

  void read_globals() {
    globals_read_ = true;
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = nullptr;
    while (exists_ && (unit = dwfl_module_nextcu(image_.module, unit, &bias)) != nullptr)
      add_globals(unit, bias, kDepthMost);
    std::stable_sort(globals_.begin(), globals_.end(),
                     [](const auto& left, const auto& right) { return left.address < right.address; });
    const auto same = [](const auto& left, const auto& right) { return left.address == right.address; };
    globals_.erase(std::unique(globals_.begin(), globals_.end(), same), globals_.end());
  }

  void add_globals(Dwarf_Die* parent, u64 bias, int depth) {
    Dwarf_Die child;
    if (depth == 0 || dwarf_haschildren(parent) != 1) return;
    for (int more = dwarf_child(parent, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_variable) add_global(&child, bias);
      if (tag == DW_TAG_namespace || tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block ||
          tag == DW_TAG_inlined_subroutine)
        add_globals(&child, bias, depth - 1);
    }
  }

  void add_global(Dwarf_Die* variable, u64 bias) {
    Dwarf_Attribute attribute, address;
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    if (dwarf_attr(variable, DW_AT_location, &attribute) == nullptr ||
        dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1)
      return;
    Dwarf_Addr at = operations[0].number;
    const bool is_indexed = operations[0].atom == DW_OP_addrx;
    if (!is_indexed && operations[0].atom != DW_OP_addr) return;
    if (is_indexed &&
        (dwarf_getlocation_attr(&attribute, operations, &address) != 0 || dwarf_formaddr(&address, &at) != 0))
      return;
    const TypeId type = type_of(variable);
    if (type == kNoType) return;
    globals_.push_back({.address = at + bias, .size_bytes = types_[type].type.size_bytes, .type = type});
  }

  const Image& image_;
  bool exists_ = false, globals_read_ = false;
  std::vector<Known> types_;  ///< by id; the first is none
  std::unordered_map<const void*, TypeId> ids_;
  std::unordered_map<u64, TypeId> returned_;  ///< by the function's entry
  std::vector<GlobalVariable> globals_;       ///< by address
};

DataTypes::DataTypes(const Image& image) : reader_(std::make_unique<Reader>(image)) {}
DataTypes::~DataTypes() = default;

bool DataTypes::exist() const { return reader_->exists(); }
const DataType& DataTypes::type(TypeId id) const { return reader_->type(id); }
MemberPlace DataTypes::member_at(TypeId type, u64 offset_bytes, u64 access_bytes) {
  return reader_->member_at(type, offset_bytes, access_bytes);
}
std::vector<VariablePlace> DataTypes::variables_of(u64 pc) { return reader_->variables_of(pc); }
TypeId DataTypes::returned_by(u64 entry) { return reader_->returned_by(entry); }
const GlobalVariable* DataTypes::global_at(u64 address) { return reader_->global_at(address); }
std::optional<FrameRule> DataTypes::frame_at(u64 pc) { return reader_->frame_at(pc); }
std::vector<u8> DataTypes::code_at(u64 address, u64 size_bytes) {
  return reader_->code_at(address, size_bytes);
}

}  // namespace orrery::elf
