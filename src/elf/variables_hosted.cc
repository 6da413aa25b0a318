#include "elf/variables_hosted.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "elf/demangle_hosted.h"
#include "elf/dwarf_expression_hosted.h"
#include "elf/dwarf_names_hosted.h"
#include "elf/dwarf_scope_hosted.h"
#include "elf/tail_calls_hosted.h"
#include "elf/value_text_hosted.h"

namespace orrery::elf {
namespace {

constexpr const char* kGone = "<optimized out>";
/// How many callers are asked for what an argument was on entry.
constexpr int kCallersAsked = 3;
/// Blocks within each other; a damaged file may have them without end.
constexpr int kDepthMost = 64;

constexpr const char* kRegisterNames[kDwarfRegisters] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi",
                                                         "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                                         "r12", "r13", "r14", "r15", "rip"};
/// DWARF's numbers of xmm0 to xmm15.
constexpr u64 kDwarfXmm0 = 17, kDwarfXmmEnd = 33;

std::string register_words(u64 number) {
  if (number < kDwarfRegisters) return kRegisterNames[number];
  return number < kDwarfXmmEnd ? "xmm" + std::to_string(number - kDwarfXmm0) : "";
}

bool is_block(int tag) {
  return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/// Reads variables of one stack. Values of outer frames come from their own registers.
class VariableReader {
 public:
  VariableReader(StoppedMachine& machine, const Images& images, const Stack& stack, u64 index, Detail detail)
      : machine_(machine), images_(images), stack_(stack), index_(index), detail_(detail) {}

  std::vector<FunctionVariables> read(bool with_locals) {
    std::vector<FunctionVariables> all;
    const Image* image = images_.find(frame().lookup_pc());
    if (!image) return all;
    DwarfScope scope = find_scope(*image, frame().lookup_pc());
    for (Dwarf_Die& function : scope.functions) {
      FunctionVariables found;
      read_block(scope, &function, 0, with_locals, found);
      std::stable_sort(found.locals.begin(), found.locals.end(),
                       [](const Variable& left, const Variable& right) { return left.depth > right.depth; });
      all.push_back(std::move(found));
    }
    return all;
  }

  /// Who jumped to the frame's function in place of the one that its caller called; the last one first.
  std::vector<std::string> tail_callers() {
    std::vector<std::string> names;
    const Image* image = images_.find(frame().lookup_pc());
    if (image == nullptr) return names;
    DwarfScope scope = find_scope(*image, frame().lookup_pc());
    if (scope.functions.empty()) return names;
    Entry entry = find_entry(index_, scope);
    for (auto function = entry.jumps.functions.rbegin(); function != entry.jumps.functions.rend(); ++function)
      if (const char* name = linkage_name(&*function)) names.emplace_back(name);
    return names;
  }

 private:
  const Frame& frame() const { return stack_.frames[index_]; }

  void read_block(DwarfScope& scope, Dwarf_Die* block, int depth, bool with_locals,
                  FunctionVariables& found) {
    Dwarf_Die child;
    for (int more = dwarf_child(block, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_formal_parameter && depth == 0)
        found.arguments.push_back(read_one(scope, child, depth));
      if (!with_locals) continue;
      if (tag == DW_TAG_variable) add_local(scope, child, depth, found);
      if (is_block(tag) && depth < kDepthMost && dwarf_haspc(&child, frame().lookup_pc() - scope.bias) == 1)
        read_block(scope, &child, depth + 1, with_locals, found);
    }
    add_abstract(scope, block, depth, with_locals, found);
  }

  void add_local(DwarfScope& scope, Dwarf_Die& variable, int depth, FunctionVariables& found) {
    Dwarf_Attribute attribute;
    const bool is_declaration = dwarf_attr(&variable, DW_AT_declaration, &attribute) != nullptr;
    if (is_declaration || !dwarf_formstring(dwarf_attr_integrate(&variable, DW_AT_name, &attribute))) return;
    found.locals.push_back(read_one(scope, variable, depth));
  }

  /// An instance of a function has only those of its variables that are left; the rest are optimized out.
  void add_abstract(DwarfScope& scope, Dwarf_Die* block, int depth, bool with_locals,
                    FunctionVariables& found) {
    Dwarf_Attribute attribute;
    Dwarf_Die origin, child, of;
    if (!dwarf_formref_die(dwarf_attr(block, DW_AT_abstract_origin, &attribute), &origin)) return;
    std::set<Dwarf_Off> present;
    for (int more = dwarf_child(block, &child); more == 0; more = dwarf_siblingof(&child, &child))
      if (dwarf_formref_die(dwarf_attr(&child, DW_AT_abstract_origin, &attribute), &of))
        present.insert(dwarf_dieoffset(&of));
    add_missing(scope, &origin, depth, with_locals, present, found);
  }

  void add_missing(DwarfScope& scope, Dwarf_Die* origin, int depth, bool with_locals,
                   const std::set<Dwarf_Off>& present, FunctionVariables& found) {
    Dwarf_Die child;
    u64 ordinal = 0;  // of the argument
    for (int more = dwarf_child(origin, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
      const int tag = dwarf_tag(&child);
      const bool is_argument = tag == DW_TAG_formal_parameter && depth == 0;
      ordinal += is_argument ? 1 : 0;
      if (present.contains(dwarf_dieoffset(&child))) continue;
      const u64 place = std::min<u64>(ordinal - (is_argument ? 1 : 0), found.arguments.size());
      if (is_argument)
        found.arguments.insert(found.arguments.begin() + static_cast<i64>(place), read_one(scope, child, 0));
      if (tag == DW_TAG_variable && with_locals) add_local(scope, child, depth, found);
      if (is_block(tag) && with_locals && depth < kDepthMost)
        add_missing(scope, &child, depth + 1, with_locals, present, found);
    }
  }

  Variable read_one(DwarfScope& scope, Dwarf_Die& variable, int depth) {
    Dwarf_Attribute attribute;
    const char* name = dwarf_formstring(dwarf_attr_integrate(&variable, DW_AT_name, &attribute));
    Variable read{.name = name ? name : "", .type = type_name(&variable), .value = kGone, .depth = depth};
    Dwarf_Word line = 0;
    if (dwarf_formudata(dwarf_attr_integrate(&variable, DW_AT_decl_line, &attribute), &line) == 0)
      read.line = static_cast<int>(line);
    Dwarf_Die type;
    if (!resolved_type(&variable, &type)) return read;
    const ValueContext context{
        .machine = machine_, .images = &images_, .number = [&](Dwarf_Attribute* bound) {
          return dynamic_number(scope, bound);
        }};
    read.size_bytes = size_of_type(&type, context);
    const std::optional<ValueBytes> bytes = find_bytes(scope, variable, read);
    if (!bytes) return read;
    read.value = value_text(context, &type, *bytes, detail_);
    read.address = bytes->address;
    Known why = Known::yes;
    u64 pointer = 0;
    if (is_pointer(type) && bytes->whole(0, sizeof pointer, why)) {
      std::memcpy(&pointer, bytes->bytes.data(), sizeof pointer);
      read.pointer = pointer;
    }
    return read;
  }

  /// Nothing if all of it is optimized out.
  std::optional<ValueBytes> find_bytes(DwarfScope& scope, Dwarf_Die& variable, Variable& read) {
    Dwarf_Attribute attribute;
    if (dwarf_attr_integrate(&variable, DW_AT_const_value, &attribute))
      return constant_bytes(&attribute, read);
    if (!dwarf_attr_integrate(&variable, DW_AT_location, &attribute)) return std::nullopt;
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    if (dwarf_getlocation_addr(&attribute, frame().lookup_pc() - scope.bias, &operations, &count, 1) != 1 ||
        count == 0)
      return std::nullopt;
    return located_bytes(scope, &attribute, {operations, count}, read);
  }

  static std::optional<ValueBytes> constant_bytes(Dwarf_Attribute* attribute, const Variable& read) {
    Dwarf_Block block;
    Dwarf_Sword number = 0;
    if (dwarf_formblock(attribute, &block) == 0) return from_bytes(block.data, block.length, read.size_bytes);
    if (const char* text = dwarf_formstring(attribute))
      return from_bytes(reinterpret_cast<const u8*>(text), std::strlen(text) + 1, read.size_bytes);
    if (dwarf_formsdata(attribute, &number) != 0) return std::nullopt;
    return from_bytes(reinterpret_cast<const u8*>(&number), sizeof number, read.size_bytes);
  }

  /// What is missing at the end is not known.
  static ValueBytes from_bytes(const u8* bytes, u64 count, u64 size_bytes) {
    ValueBytes value;
    value.bytes.assign(size_bytes, 0);
    value.known.assign(size_bytes, Known::optimized_out);
    std::copy_n(bytes, std::min(count, size_bytes), value.bytes.begin());
    std::fill_n(value.known.begin(), std::min(count, size_bytes), Known::yes);
    return value;
  }

  /// A location is whole, or a row of pieces (DWARF 5, 2.6.1.2).
  std::optional<ValueBytes> located_bytes(DwarfScope& scope, Dwarf_Attribute* attribute,
                                          std::span<const Dwarf_Op> operations, Variable& read) {
    const auto is_piece = [](const Dwarf_Op& op) { return op.atom == DW_OP_piece; };
    if (std::none_of(operations.begin(), operations.end(), is_piece))
      return one_place(scope, attribute, operations, read.size_bytes, &read);
    ValueBytes value = from_bytes(nullptr, 0, read.size_bytes);
    u64 at = 0;
    while (!operations.empty() && at < read.size_bytes) {
      const auto end = std::find_if(operations.begin(), operations.end(), is_piece);
      if (end == operations.end()) break;
      const std::span<const Dwarf_Op> part(operations.begin(), end);
      const u64 size_bytes = std::min<u64>(end->number, read.size_bytes - at);
      if (const auto piece =
              part.empty() ? std::nullopt : one_place(scope, attribute, part, size_bytes, nullptr)) {
        std::copy_n(piece->bytes.begin(), piece->bytes.size(), value.bytes.begin() + static_cast<i64>(at));
        std::copy_n(piece->known.begin(), piece->known.size(), value.known.begin() + static_cast<i64>(at));
      }
      at += size_bytes;
      operations = operations.subspan(part.size() + 1);
    }
    return value;
  }

  std::optional<ValueBytes> one_place(DwarfScope& scope, Dwarf_Attribute* attribute,
                                      std::span<const Dwarf_Op> operations, u64 size_bytes, Variable* read) {
    if (operations.size() == 1 && operations[0].atom == DW_OP_implicit_value) {
      Dwarf_Block block;
      if (dwarf_getlocation_implicit_value(attribute, &operations[0], &block) != 0) return std::nullopt;
      return from_bytes(block.data, block.length, size_bytes);
    }
    const auto operand = evaluate_in(index_, scope, attribute, operations, kCallersAsked);
    if (!operand) return std::nullopt;
    if (operand->place == Place::memory) return read_value_bytes(machine_, operand->number, size_bytes);
    if (operand->place == Place::machine_register && read) read->place = register_words(operand->number);
    if (operand->place == Place::machine_register && operand->number >= kDwarfXmm0)
      return vector_bytes(operand->number, size_bytes);
    const std::optional<u64> bits = scalar_of(frame(), *operand);
    if (!bits) return std::nullopt;
    return from_bytes(reinterpret_cast<const u8*>(&*bits), sizeof *bits, size_bytes);
  }

  /// Vector registers belong to who runs: no function keeps those of its caller.
  std::optional<ValueBytes> vector_bytes(u64 number, u64 size_bytes) {
    u8 bytes[16] = {};
    if (index_ != 0 || number >= kDwarfXmmEnd ||
        !machine_.read_vector(static_cast<int>(number - kDwarfXmm0), bytes))
      return std::nullopt;
    return from_bytes(bytes, sizeof bytes, size_bytes);
  }

  /// The length of an array that is known at run time only: an expression, or another variable.
  std::optional<u64> dynamic_number(DwarfScope& scope, Dwarf_Attribute* bound) {
    Dwarf_Die variable;
    Dwarf_Attribute location;
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    const bool is_variable = dwarf_formref_die(bound, &variable) != nullptr;
    Dwarf_Attribute* const attribute =
        is_variable ? dwarf_attr_integrate(&variable, DW_AT_location, &location) : bound;
    if (!attribute ||
        dwarf_getlocation_addr(attribute, frame().lookup_pc() - scope.bias, &operations, &count, 1) != 1)
      return std::nullopt;
    const auto operand = evaluate_in(index_, scope, attribute, {operations, count}, kCallersAsked);
    if (!operand) return std::nullopt;
    if (operand->place != Place::memory) return scalar_of(frame(), *operand);
    if (!is_variable) return operand->number;
    u64 value = 0;
    return machine_.read_value(operand->number, value) ? std::optional(value) : std::nullopt;
  }

  static bool is_pointer(Dwarf_Die& type) {
    const int tag = dwarf_tag(&type);
    return tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type;
  }

  static std::optional<u64> scalar_of(const Frame& frame, const Operand& operand) {
    if (operand.place == Place::value) return operand.number;
    return operand.number < kDwarfRegisters ? frame.registers[operand.number] : std::nullopt;
  }

  std::optional<Operand> evaluate_in(u64 index, DwarfScope& scope, Dwarf_Attribute* attribute,
                                     std::span<const Dwarf_Op> operations, int callers_left) {
    const Frame& frame = stack_.frames[index];
    Dwarf_Op* base = nullptr;
    size_t base_count = 0;
    Dwarf_Attribute base_attribute;
    if (!scope.functions.empty() &&
        dwarf_attr_integrate(&scope.functions.back(), DW_AT_frame_base, &base_attribute)) {
      dwarf_getlocation_addr(&base_attribute, frame.lookup_pc() - scope.bias, &base, &base_count, 1);
    }
    const ExpressionContext context{
        .machine = machine_,
        .registers = frame.registers,
        .cfa = frame.cfa,
        .bias = scope.bias,
        .frame_base = {base, base_count},
        .entry_value =
            [&](const Dwarf_Op& op) { return on_entry(index, scope, attribute, op, callers_left); },
        .attribute = attribute};
    return evaluate(context, operations);
  }

  /// The call of a frame's function: by its caller, or by those that it called first and that jumped here.
  struct Entry {
    u64 caller = 0;  ///< its frame
    DwarfScope scope{};
    Dwarf_Die site{};
    TailCalls jumps{};
    u64 jumps_bias = 0;
    bool is_known = false;  ///< which call sites these are
  };

  Entry find_entry(u64 index, DwarfScope& callee) {
    Entry entry{.caller = index + 1};
    if (index + 1 >= stack_.frames.size()) return entry;
    const Frame& caller = stack_.frames[index + 1];
    const Image* image = images_.find(caller.lookup_pc());
    const Image* callees = images_.find(stack_.frames[index].lookup_pc());
    if (image == nullptr || callees == nullptr) return entry;
    Dwarf_Die& function = callee.functions.back();
    entry.scope = find_scope(*image, caller.lookup_pc());
    if (entry.scope.functions.empty() ||
        !find_call_site(entry.scope.functions.back(), caller.pc - entry.scope.bias, &entry.site))
      return entry;
    entry.is_known = calls_function(entry.site, function);
    if (entry.is_known) return entry;
    entry.jumps = find_tail_calls(*callees, entry.site, function);
    entry.jumps_bias = callee.bias;
    entry.is_known = !entry.jumps.sites.empty();
    return entry;
  }

  /// The register that a DW_OP_entry_value operation asks for.
  static std::optional<u8> register_on_entry(Dwarf_Attribute* attribute, const Dwarf_Op& op) {
    Dwarf_Attribute wanted_attribute;
    Dwarf_Op* wanted = nullptr;
    size_t count = 0;
    if (dwarf_getlocation_attr(attribute, &op, &wanted_attribute) != 0 ||
        dwarf_getlocation(&wanted_attribute, &wanted, &count) != 0 || count != 1)
      return std::nullopt;
    return wanted->atom;
  }

  /// A register's value when the frame's function was entered, from the caller's description of the call
  /// (DWARF 5, 3.4).
  std::optional<u64> on_entry(u64 index, DwarfScope& scope, Dwarf_Attribute* attribute, const Dwarf_Op& op,
                              int callers_left) {
    const std::optional<u8> wanted = register_on_entry(attribute, op);
    if (callers_left == 0 || scope.functions.empty() || !wanted) return std::nullopt;
    Entry entry = find_entry(index, scope);
    if (!entry.is_known) return std::nullopt;
    return passed_value(entry, entry.jumps.sites.size(), *wanted, callers_left - 1);
  }

  /// `jumps`: how many of the entry's were made before; the last of them passed the register, or the call.
  std::optional<u64> passed_value(Entry& entry, std::size_t jumps, u8 register_atom, int callers_left) {
    Dwarf_Die& site = jumps == 0 ? entry.site : entry.jumps.sites[jumps - 1];
    Dwarf_Attribute attribute;
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    if (!find_passed(site, register_atom, &attribute) ||
        dwarf_getlocation(&attribute, &operations, &count) != 0)
      return std::nullopt;
    if (jumps == 0) {
      const auto operand =
          evaluate_in(entry.caller, entry.scope, &attribute, {operations, count}, callers_left);
      if (!operand) return std::nullopt;
      // The expression computes the value itself; what looks like an address is that value.
      return operand->place == Place::memory ? operand->number
                                             : scalar_of(stack_.frames[entry.caller], *operand);
    }
    // Of the frame that is gone only what it was entered with can be found.
    const FrameRegisters none{};
    const ExpressionContext context{.machine = machine_,
                                    .registers = none,
                                    .cfa = std::nullopt,
                                    .bias = entry.jumps_bias,
                                    .entry_value = [&](const Dwarf_Op& op) -> std::optional<u64> {
                                      const std::optional<u8> wanted = register_on_entry(&attribute, op);
                                      return wanted ? passed_value(entry, jumps - 1, *wanted, callers_left)
                                                    : std::nullopt;
                                    },
                                    .attribute = &attribute};
    const auto operand = evaluate(context, {operations, count});
    return operand && operand->place != Place::machine_register ? std::optional(operand->number)
                                                                : std::nullopt;
  }

  /// The expression for what the call at the site passed in the register.
  static bool find_passed(Dwarf_Die& site, u8 register_atom, Dwarf_Attribute* value) {
    Dwarf_Die child;
    for (int more = dwarf_child(&site, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
      Dwarf_Attribute attribute;
      Dwarf_Op* operations = nullptr;
      size_t count = 0;
      if (dwarf_getlocation(dwarf_attr(&child, DW_AT_location, &attribute), &operations, &count) != 0 ||
          count != 1 || operations->atom != register_atom)
        continue;
      const unsigned name =
          dwarf_tag(&child) == DW_TAG_call_site_parameter ? DW_AT_call_value : DW_AT_GNU_call_site_value;
      return dwarf_attr(&child, name, value) != nullptr;
    }
    return false;
  }

  StoppedMachine& machine_;
  const Images& images_;
  const Stack& stack_;
  u64 index_;
  Detail detail_;
};

}  // namespace

std::vector<FunctionVariables> variables_of(StoppedMachine& machine, const Images& images, const Stack& stack,
                                            u64 index, Detail detail) {
  return VariableReader(machine, images, stack, index, detail).read(true);
}

std::vector<std::string> tail_callers_of(StoppedMachine& machine, const Images& images, const Stack& stack,
                                         u64 index) {
  std::vector<std::string> names =
      VariableReader(machine, images, stack, index, Detail::brief).tail_callers();
  for (std::string& name : names) name = demangle(name.c_str());
  return names;
}

std::vector<std::vector<Variable>> arguments_of(StoppedMachine& machine, const Images& images,
                                                const Stack& stack, u64 index) {
  std::vector<std::vector<Variable>> all;
  for (FunctionVariables& each : VariableReader(machine, images, stack, index, Detail::brief).read(false))
    all.push_back(std::move(each.arguments));
  return all;
}

}  // namespace orrery::elf
