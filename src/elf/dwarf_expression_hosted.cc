#include "elf/dwarf_expression_hosted.h"

#include <dwarf.h>

#include <algorithm>
#include <vector>

namespace orrery::elf {
namespace {

/// A stack entry's integral type (DWARF 5, 2.5.1.5); the generic one is an address.
struct EntryType {
  u8 bytes = 8;
  bool is_signed = false;
};

u64 wrapped(u64 value, EntryType type) {
  if (type.bytes >= 8) return value;
  const int shift = 64 - 8 * type.bytes;
  return type.is_signed ? static_cast<u64>(static_cast<i64>(value << shift) >> shift)
                        : value << shift >> shift;
}

/// The machine of DWARF 5, 2.5.1. One object an evaluation; a step that cannot be done ends it. Values are
/// kept extended to 64 bits as their types say.
class Evaluator {
 public:
  explicit Evaluator(const ExpressionContext& context) : context_(context) {}

  std::optional<Operand> run(std::span<const Dwarf_Op> operations) {
    // A loop in an expression is legal; a damaged file must not hang us.
    int steps_left = 10'000;
    for (u64 index = 0; index < operations.size(); ++index) {
      if (--steps_left == 0) return std::nullopt;
      const Dwarf_Op& op = operations[index];
      if (op.atom == DW_OP_skip || op.atom == DW_OP_bra) {
        if (!jump(operations, op, index)) return std::nullopt;
        continue;
      }
      // A variable in pieces (DW_OP_piece) is shown only if it is whole.
      if (!place(op) && !constant(op) && !stack_operation(op) && !typed(op) && !arithmetic(op) &&
          !comparison(op))
        return std::nullopt;
      if (failed_) return std::nullopt;
    }
    if (result_.place == Place::memory) result_.number = pop();
    if (failed_) return std::nullopt;
    return result_;
  }

 private:
  struct Entry {
    u64 value;
    EntryType type;
  };
  void push(u64 value, EntryType type = {}) { stack_.push_back({wrapped(value, type), type}); }
  u64 pop() { return pop_entry().value; }
  Entry pop_entry() {
    if (stack_.empty()) {
      failed_ = true;
      return {0, {}};
    }
    const Entry entry = stack_.back();
    stack_.pop_back();
    return entry;
  }
  u64 register_value(u64 number) {
    if (number >= kDwarfRegisters || !context_.registers[number]) {
      failed_ = true;
      return 0;
    }
    return *context_.registers[number];
  }

  bool jump(std::span<const Dwarf_Op> operations, const Dwarf_Op& op, u64& index) {
    if (op.atom == DW_OP_bra && pop() == 0) return !failed_;
    const u64 target = op.offset + 3 + static_cast<u64>(static_cast<i64>(static_cast<i16>(op.number)));
    const auto found = std::find_if(operations.begin(), operations.end(),
                                    [&](const Dwarf_Op& other) { return other.offset == target; });
    if (found == operations.end() || failed_) return false;
    index = static_cast<u64>(found - operations.begin()) - 1;
    return true;
  }

  /// Operations that say where or what the value is.
  bool place(const Dwarf_Op& op) {
    const u8 atom = op.atom;
    if (atom >= DW_OP_reg0 && atom <= DW_OP_reg31) return in_register(atom - DW_OP_reg0);
    switch (atom) {
      case DW_OP_regx:
        return in_register(op.number);
      case DW_OP_stack_value:
        result_.number = pop();
        result_.place = Place::value;
        return true;
      case DW_OP_nop:
        return true;
      default:
        return false;
    }
  }
  bool in_register(u64 number) {
    result_ = {.place = Place::machine_register, .number = number};
    return true;
  }

  /// Operations that push something known.
  bool constant(const Dwarf_Op& op) {
    const u8 atom = op.atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) return push(atom - DW_OP_lit0), true;
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
      return push(register_value(atom - DW_OP_breg0) + op.number), true;
    switch (atom) {
      case DW_OP_addr:
        return push(op.number + context_.bias), true;
      case DW_OP_addrx:
      case DW_OP_GNU_addr_index:
        return indexed_address(op);
      case DW_OP_const1u:
      case DW_OP_const1s:
      case DW_OP_const2u:
      case DW_OP_const2s:
      case DW_OP_const4u:
      case DW_OP_const4s:
      case DW_OP_const8u:
      case DW_OP_const8s:
      case DW_OP_constu:
      case DW_OP_consts:
        return push(op.number), true;  // libdw has extended the signed ones
      case DW_OP_bregx:
        return push(register_value(op.number) + op.number2), true;
      case DW_OP_fbreg:
        return push(frame_base() + op.number), true;
      case DW_OP_call_frame_cfa:
        if (!context_.cfa) return false;
        return push(*context_.cfa), true;
      case DW_OP_entry_value:
      case DW_OP_GNU_entry_value:
        return entry_value(op);
      default:
        return false;
    }
  }

  u64 frame_base() {
    if (context_.frame_base.empty()) {
      failed_ = true;
      return 0;
    }
    ExpressionContext inner{.machine = context_.machine,
                            .registers = context_.registers,
                            .cfa = context_.cfa,
                            .bias = context_.bias};
    const std::optional<Operand> base = evaluate(inner, context_.frame_base);
    if (!base) {
      failed_ = true;
      return 0;
    }
    return base->place == Place::machine_register ? register_value(base->number) : base->number;
  }

  bool indexed_address(const Dwarf_Op& op) {
    Dwarf_Attribute address_attribute;
    Dwarf_Addr address = 0;
    if (!context_.attribute || dwarf_getlocation_attr(context_.attribute, &op, &address_attribute) != 0 ||
        dwarf_formaddr(&address_attribute, &address) != 0)
      return false;
    return push(address + context_.bias), true;
  }

  bool entry_value(const Dwarf_Op& op) {
    if (!context_.entry_value) return false;
    const std::optional<u64> value = context_.entry_value(op);
    if (!value) return false;
    return push(*value), true;
  }

  bool stack_operation(const Dwarf_Op& op) {
    switch (op.atom) {
      case DW_OP_dup:
        return pick(0);
      case DW_OP_drop:
        return pop(), true;
      case DW_OP_over:
        return pick(1);
      case DW_OP_pick:
        return pick(op.number);
      case DW_OP_swap: {
        const Entry top = pop_entry(), below = pop_entry();
        push(top.value, top.type);
        return push(below.value, below.type), true;
      }
      case DW_OP_deref:
        return dereference(8);
      case DW_OP_deref_size:
        return dereference(op.number);
      default:
        return false;
    }
  }
  bool pick(u64 depth) {
    if (depth >= stack_.size()) return false;
    const Entry entry = stack_[stack_.size() - 1 - depth];
    return push(entry.value, entry.type), true;
  }
  bool dereference(u64 size_bytes) {
    u64 value = 0;
    if (size_bytes > 8) return false;
    const u64 address = pop();
    if (context_.machine.read(address, {reinterpret_cast<u8*>(&value), size_bytes}) != size_bytes)
      return false;
    return push(value), true;
  }

  /// The integral base type at a DIE offset of the expression's unit; 0 is the generic one.
  bool find_type(const Dwarf_Op& op, EntryType& type) {
    type = {};
    const bool is_first = op.atom == DW_OP_convert || op.atom == DW_OP_reinterpret ||
                          op.atom == DW_OP_GNU_convert || op.atom == DW_OP_GNU_reinterpret;
    if (is_first && op.number == 0) return true;
    Dwarf_Die die;
    Dwarf_Attribute attribute;
    Dwarf_Word bytes = 0, encoding = 0;
    if (!context_.attribute || dwarf_getlocation_die(context_.attribute, &op, &die) != 0 ||
        dwarf_formudata(dwarf_attr(&die, DW_AT_byte_size, &attribute), &bytes) != 0 ||
        dwarf_formudata(dwarf_attr(&die, DW_AT_encoding, &attribute), &encoding) != 0)
      return false;
    if (bytes == 0 || bytes > 8 || encoding == DW_ATE_float || encoding == DW_ATE_complex_float) return false;
    type = {static_cast<u8>(bytes), encoding == DW_ATE_signed || encoding == DW_ATE_signed_char};
    return true;
  }

  bool typed(const Dwarf_Op& op) {
    EntryType type;
    switch (op.atom) {
      case DW_OP_convert:
      case DW_OP_GNU_convert:
      case DW_OP_reinterpret:
      case DW_OP_GNU_reinterpret:
        return find_type(op, type) && (push(pop(), type), true);
      case DW_OP_regval_type:
      case DW_OP_GNU_regval_type:
        return find_type(op, type) && (push(register_value(op.number), type), true);
      case DW_OP_deref_type:
      case DW_OP_GNU_deref_type: {
        if (!find_type(op, type) || !dereference(op.number)) return false;
        const u64 value = pop();
        return push(value, type), true;
      }
      default:
        return false;
    }
  }

  bool unary(const Dwarf_Op& op) {
    const Entry entry = pop_entry();
    const i64 value = static_cast<i64>(entry.value);
    switch (op.atom) {
      case DW_OP_plus_uconst:
        return push(entry.value + op.number, entry.type), true;
      case DW_OP_neg:
        return push(-entry.value, entry.type), true;
      case DW_OP_not:
        return push(~entry.value, entry.type), true;
      default:
        return push(static_cast<u64>(value < 0 ? -value : value), entry.type), true;
    }
  }

  bool arithmetic(const Dwarf_Op& op) {
    if (op.atom == DW_OP_plus_uconst || op.atom == DW_OP_neg || op.atom == DW_OP_not || op.atom == DW_OP_abs)
      return unary(op);
    if (op.atom < DW_OP_and || op.atom > DW_OP_xor) return false;
    const u64 right = pop();
    const Entry first = pop_entry();
    // Its sign is no matter of a logical shift.
    const u64 left = op.atom == DW_OP_shr ? wrapped(first.value, {first.type.bytes, false}) : first.value;
    if (!binary(op, left, right)) return false;
    const u64 result = pop();
    return push(result, first.type), true;
  }

  bool binary(const Dwarf_Op& op, u64 left, u64 right) {
    switch (op.atom) {
      case DW_OP_and:
        return push(left & right), true;
      case DW_OP_or:
        return push(left | right), true;
      case DW_OP_xor:
        return push(left ^ right), true;
      case DW_OP_plus:
        return push(left + right), true;
      case DW_OP_minus:
        return push(left - right), true;
      case DW_OP_mul:
        return push(left * right), true;
      case DW_OP_shl:
        return push(right < 64 ? left << right : 0), true;
      case DW_OP_shr:
        return push(right < 64 ? left >> right : 0), true;
      case DW_OP_shra:
        return push(static_cast<u64>(static_cast<i64>(left) >> std::min<u64>(right, 63))), true;
      case DW_OP_div:
        if (right == 0 || right == ~u64{0}) return false;
        return push(static_cast<u64>(static_cast<i64>(left) / static_cast<i64>(right))), true;
      case DW_OP_mod:
        if (right == 0) return false;
        return push(left % right), true;
      default:
        return false;
    }
  }

  bool comparison(const Dwarf_Op& op) {
    if (op.atom < DW_OP_eq || op.atom > DW_OP_ne || op.atom == DW_OP_skip) return false;
    const i64 right = static_cast<i64>(pop()), left = static_cast<i64>(pop());
    switch (op.atom) {
      case DW_OP_eq:
        return push(left == right), true;
      case DW_OP_ge:
        return push(left >= right), true;
      case DW_OP_gt:
        return push(left > right), true;
      case DW_OP_le:
        return push(left <= right), true;
      case DW_OP_lt:
        return push(left < right), true;
      case DW_OP_ne:
        return push(left != right), true;
      default:
        return false;
    }
  }

  const ExpressionContext& context_;
  std::vector<Entry> stack_;
  Operand result_;
  bool failed_ = false;
};

}  // namespace

std::optional<Operand> evaluate(const ExpressionContext& context, std::span<const Dwarf_Op> operations) {
  return Evaluator(context).run(operations);
}

}  // namespace orrery::elf
