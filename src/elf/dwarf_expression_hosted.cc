#include "elf/dwarf_expression_hosted.h"

#include <dwarf.h>

#include <algorithm>
#include <vector>

namespace orrery::elf {
namespace {

/// The machine of DWARF 5, 2.5.1. One object an evaluation; a step that cannot be done ends it.
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
      if (!place(op) && !constant(op) && !stack_operation(op) && !arithmetic(op) && !comparison(op))
        return std::nullopt;
      if (failed_) return std::nullopt;
    }
    if (result_.place == Place::memory) result_.number = pop();
    if (failed_) return std::nullopt;
    return result_;
  }

 private:
  void push(u64 value) { stack_.push_back(value); }
  u64 pop() {
    if (stack_.empty()) {
      failed_ = true;
      return 0;
    }
    const u64 value = stack_.back();
    stack_.pop_back();
    return value;
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

  bool entry_value(const Dwarf_Op& op) {
    if (!context_.entry_value) return false;
    const std::optional<u64> value = context_.entry_value(op);
    if (!value) return false;
    return push(*value), true;
  }

  bool stack_operation(const Dwarf_Op& op) {
    switch (op.atom) {
      case DW_OP_dup: {
        const u64 value = pop();
        push(value);
        return push(value), true;
      }
      case DW_OP_drop:
        return pop(), true;
      case DW_OP_over:
        return pick(1);
      case DW_OP_pick:
        return pick(op.number);
      case DW_OP_swap: {
        const u64 top = pop(), below = pop();
        push(top);
        return push(below), true;
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
    return push(stack_[stack_.size() - 1 - depth]), true;
  }
  bool dereference(u64 size_bytes) {
    u64 value = 0;
    if (size_bytes > 8) return false;
    const u64 address = pop();
    if (context_.machine.read(address, {reinterpret_cast<u8*>(&value), size_bytes}) != size_bytes)
      return false;
    return push(value), true;
  }

  bool arithmetic(const Dwarf_Op& op) {
    if (op.atom == DW_OP_plus_uconst) return push(pop() + op.number), true;
    if (op.atom == DW_OP_neg) return push(-pop()), true;
    if (op.atom == DW_OP_not) return push(~pop()), true;
    if (op.atom == DW_OP_abs) {
      const i64 value = static_cast<i64>(pop());
      return push(static_cast<u64>(value < 0 ? -value : value)), true;
    }
    if (op.atom < DW_OP_and || op.atom > DW_OP_xor) return false;
    const u64 right = pop(), left = pop();
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
  std::vector<u64> stack_;
  Operand result_;
  bool failed_ = false;
};

}  // namespace

std::optional<Operand> evaluate(const ExpressionContext& context, std::span<const Dwarf_Op> operations) {
  return Evaluator(context).run(operations);
}

}  // namespace orrery::elf
