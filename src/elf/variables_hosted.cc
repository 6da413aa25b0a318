#include "elf/variables_hosted.h"

#include <dwarf.h>

#include <cstring>

#include "elf/dwarf_expression_hosted.h"
#include "elf/dwarf_scope_hosted.h"
#include "elf/value_text_hosted.h"

namespace orrery::elf {
namespace {

constexpr const char* kGone = "<optimized out>";
/// How many callers are asked for what an argument was on entry.
constexpr int kCallersAsked = 3;

/// Visits `die` and everything below it until `visit` returns true.
template <class Visit>
bool visit_tree(Dwarf_Die* die, const Visit& visit, int depth = 0) {
  if (visit(die)) return true;
  Dwarf_Die child;
  if (depth > 64 || dwarf_child(die, &child) != 0) return false;
  do {
    if (visit_tree(&child, visit, depth + 1)) return true;
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

const char* linkage_name(Dwarf_Die* function) {
  Dwarf_Attribute attribute;
  const char* name = dwarf_formstring(dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute));
  return name ? name : dwarf_diename(function);
}

/// Reads variables of one stack. Values of outer frames come from their own registers.
class ArgumentReader {
 public:
  ArgumentReader(StoppedMachine& machine, const Images& images, const Stack& stack)
      : machine_(machine), images_(images), stack_(stack) {}

  std::vector<std::vector<Argument>> read(u64 index) {
    std::vector<std::vector<Argument>> all;
    const Frame& frame = stack_.frames[index];
    const Image* image = images_.find(frame.lookup_pc());
    if (!image) return all;
    DwarfScope scope = find_scope(*image, frame.lookup_pc());
    for (Dwarf_Die& function : scope.functions) {
      std::vector<Argument> arguments;
      Dwarf_Die child;
      for (int more = dwarf_child(&function, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
        if (dwarf_tag(&child) == DW_TAG_formal_parameter) arguments.push_back(read_one(index, scope, child));
      }
      all.push_back(std::move(arguments));
    }
    return all;
  }

 private:
  Argument read_one(u64 index, DwarfScope& scope, Dwarf_Die& parameter) {
    Dwarf_Attribute attribute;
    const char* name = dwarf_formstring(dwarf_attr_integrate(&parameter, DW_AT_name, &attribute));
    Argument argument{
        .name = name ? name : "", .type = type_name(&parameter), .value = kGone, .pointer = std::nullopt};
    find_value(index, scope, parameter, argument);
    return argument;
  }

  /// Leaves the value as it is if it cannot be known.
  void find_value(u64 index, DwarfScope& scope, Dwarf_Die& parameter, Argument& argument) {
    Dwarf_Die type;
    if (!resolved_type(&parameter, &type)) return;
    Dwarf_Attribute attribute;
    Dwarf_Sword constant = 0;
    if (dwarf_formsdata(dwarf_attr_integrate(&parameter, DW_AT_const_value, &attribute), &constant) == 0) {
      return set_scalar(type, static_cast<u64>(constant), argument);
    }
    if (!dwarf_attr_integrate(&parameter, DW_AT_location, &attribute)) return;
    const Frame& frame = stack_.frames[index];
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    if (dwarf_getlocation_addr(&attribute, frame.lookup_pc() - scope.bias, &operations, &count, 1) != 1 ||
        count == 0)
      return;
    const auto operand = evaluate_in(index, scope, &attribute, {operations, count}, kCallersAsked);
    if (!operand) return;
    if (operand->place == Place::memory) {
      argument.value = memory_text(machine_, &type, operand->number, 1);
      u64 pointer = 0;
      if (is_pointer(type) && machine_.read_value(operand->number, pointer)) argument.pointer = pointer;
    } else if (const auto bits = scalar_of(frame, *operand)) {
      set_scalar(type, *bits, argument);
    }
  }

  void set_scalar(Dwarf_Die& type, u64 bits, Argument& argument) {
    argument.value = scalar_text(machine_, &type, bits);
    if (is_pointer(type)) argument.pointer = bits;
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
    const ExpressionContext context{.machine = machine_,
                                    .registers = frame.registers,
                                    .cfa = frame.cfa,
                                    .bias = scope.bias,
                                    .frame_base = {base, base_count},
                                    .entry_value = [&](const Dwarf_Op& op) {
                                      return on_entry(index, scope, attribute, op, callers_left);
                                    }};
    return evaluate(context, operations);
  }

  /// A register's value when the frame's function was entered, from the caller's description of the call
  /// (DWARF 5, 3.4). Only when that call names this very function: a tail call may stand between.
  std::optional<u64> on_entry(u64 index, DwarfScope& scope, Dwarf_Attribute* attribute, const Dwarf_Op& op,
                              int callers_left) {
    if (callers_left == 0 || index + 1 >= stack_.frames.size()) return std::nullopt;
    const Frame& caller = stack_.frames[index + 1];
    const Image* image = images_.find(caller.lookup_pc());
    Dwarf_Attribute wanted_attribute;
    Dwarf_Op* wanted = nullptr;
    size_t wanted_count = 0;
    if (!image || dwarf_getlocation_attr(attribute, &op, &wanted_attribute) != 0 ||
        dwarf_getlocation(&wanted_attribute, &wanted, &wanted_count) != 0 || wanted_count != 1) {
      return std::nullopt;
    }
    DwarfScope outer = find_scope(*image, caller.lookup_pc());
    Dwarf_Die site;
    if (outer.functions.empty() || !find_call_site(outer, caller, scope.functions.back(), &site))
      return std::nullopt;
    return passed_value(index + 1, outer, site, wanted->atom, callers_left - 1);
  }

  bool find_call_site(DwarfScope& outer, const Frame& caller, Dwarf_Die& callee, Dwarf_Die* site) {
    return visit_tree(&outer.functions.back(), [&](Dwarf_Die* die) {
      const int tag = dwarf_tag(die);
      if (tag != DW_TAG_call_site && tag != DW_TAG_GNU_call_site) return false;
      Dwarf_Attribute attribute;
      Dwarf_Addr return_pc = 0;
      const unsigned name = tag == DW_TAG_call_site ? DW_AT_call_return_pc : DW_AT_low_pc;
      if (dwarf_formaddr(dwarf_attr(die, name, &attribute), &return_pc) != 0 ||
          return_pc != caller.pc - outer.bias)
        return false;
      Dwarf_Die origin;
      const unsigned origin_name = tag == DW_TAG_call_site ? DW_AT_call_origin : DW_AT_abstract_origin;
      if (!dwarf_formref_die(dwarf_attr(die, origin_name, &attribute), &origin)) return false;
      const char* called = linkage_name(&origin);
      const char* running = linkage_name(&callee);
      if (!called || !running || std::strcmp(called, running) != 0) return false;
      *site = *die;
      return true;
    });
  }

  std::optional<u64> passed_value(u64 index, DwarfScope& outer, Dwarf_Die& site, u8 register_atom,
                                  int callers_left) {
    Dwarf_Die child;
    for (int more = dwarf_child(&site, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
      Dwarf_Attribute attribute;
      Dwarf_Op* operations = nullptr;
      size_t count = 0;
      if (dwarf_getlocation(dwarf_attr(&child, DW_AT_location, &attribute), &operations, &count) != 0 ||
          count != 1 || operations->atom != register_atom) {
        continue;
      }
      const unsigned name =
          dwarf_tag(&child) == DW_TAG_call_site_parameter ? DW_AT_call_value : DW_AT_GNU_call_site_value;
      if (!dwarf_attr(&child, name, &attribute) || dwarf_getlocation(&attribute, &operations, &count) != 0)
        return std::nullopt;
      const auto operand = evaluate_in(index, outer, &attribute, {operations, count}, callers_left);
      if (!operand) return std::nullopt;
      // The expression computes the value itself; what looks like an address is that value.
      return operand->place == Place::memory ? operand->number : scalar_of(stack_.frames[index], *operand);
    }
    return std::nullopt;
  }

  StoppedMachine& machine_;
  const Images& images_;
  const Stack& stack_;
};

}  // namespace

std::vector<std::vector<Argument>> arguments_of(StoppedMachine& machine, const Images& images,
                                                const Stack& stack, u64 index) {
  return ArgumentReader(machine, images, stack).read(index);
}

}  // namespace orrery::elf
