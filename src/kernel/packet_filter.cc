#include "kernel/packet_filter.h"

#include <linux/bpf_common.h>
#include <linux/filter.h>

#include <algorithm>
#include <cstring>

namespace orrery::kernel {
namespace {

constexpr u32 kScratchWords = BPF_MEMWORDS;
constexpr u32 kShiftsMost = 32;

/// seccomp_check_filter: all that a program may hold.
constexpr u16 kAllowed[] = {
    BPF_LD | BPF_W | BPF_ABS,
    BPF_LD | BPF_W | BPF_LEN,
    BPF_LDX | BPF_W | BPF_LEN,
    BPF_RET | BPF_K,
    BPF_RET | BPF_A,
    BPF_ALU | BPF_ADD | BPF_K,
    BPF_ALU | BPF_ADD | BPF_X,
    BPF_ALU | BPF_SUB | BPF_K,
    BPF_ALU | BPF_SUB | BPF_X,
    BPF_ALU | BPF_MUL | BPF_K,
    BPF_ALU | BPF_MUL | BPF_X,
    BPF_ALU | BPF_DIV | BPF_K,
    BPF_ALU | BPF_DIV | BPF_X,
    BPF_ALU | BPF_AND | BPF_K,
    BPF_ALU | BPF_AND | BPF_X,
    BPF_ALU | BPF_OR | BPF_K,
    BPF_ALU | BPF_OR | BPF_X,
    BPF_ALU | BPF_XOR | BPF_K,
    BPF_ALU | BPF_XOR | BPF_X,
    BPF_ALU | BPF_LSH | BPF_K,
    BPF_ALU | BPF_LSH | BPF_X,
    BPF_ALU | BPF_RSH | BPF_K,
    BPF_ALU | BPF_RSH | BPF_X,
    BPF_ALU | BPF_NEG,
    BPF_LD | BPF_IMM,
    BPF_LDX | BPF_IMM,
    BPF_MISC | BPF_TAX,
    BPF_MISC | BPF_TXA,
    BPF_LD | BPF_MEM,
    BPF_LDX | BPF_MEM,
    BPF_ST,
    BPF_STX,
    BPF_JMP | BPF_JA,
    BPF_JMP | BPF_JEQ | BPF_K,
    BPF_JMP | BPF_JEQ | BPF_X,
    BPF_JMP | BPF_JGE | BPF_K,
    BPF_JMP | BPF_JGE | BPF_X,
    BPF_JMP | BPF_JGT | BPF_K,
    BPF_JMP | BPF_JGT | BPF_X,
    BPF_JMP | BPF_JSET | BPF_K,
    BPF_JMP | BPF_JSET | BPF_X,
};

bool is_valid_instruction(const FilterInstruction& at, u64 left) {
  if (std::find(std::begin(kAllowed), std::end(kAllowed), at.code) == std::end(kAllowed)) return false;
  switch (at.code) {
    case BPF_ALU | BPF_DIV | BPF_K:
      return at.constant != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      return at.constant < kShiftsMost;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
      return at.constant < kScratchWords;
    case BPF_LD | BPF_W | BPF_ABS:
      return at.constant % 4 == 0 && at.constant < sizeof(FilterInput);
    case BPF_JMP | BPF_JA:
      return at.constant < left;
    default:
      break;
  }
  if (BPF_CLASS(at.code) != BPF_JMP) return true;
  return at.if_true < left && at.if_false < left;
}

/// check_load_and_stores: on every way to a load of a scratch word it has been stored.
bool scratch_is_written(std::span<const FilterInstruction> program) {
  std::vector<u16> written_at(program.size(), u16{0xffff});
  u16 written = 0;
  for (std::size_t i = 0; i < program.size(); ++i) {
    const FilterInstruction& at = program[i];
    written &= written_at[i];
    switch (at.code) {
      case BPF_ST:
      case BPF_STX:
        written |= static_cast<u16>(1U << at.constant);
        break;
      case BPF_LD | BPF_MEM:
      case BPF_LDX | BPF_MEM:
        if ((written >> at.constant & 1) == 0) return false;
        break;
      case BPF_JMP | BPF_JA:
        written_at[i + 1 + at.constant] &= written;
        written = 0xffff;
        break;
      default:
        if (BPF_CLASS(at.code) != BPF_JMP) break;
        written_at[i + 1 + at.if_true] &= written;
        written_at[i + 1 + at.if_false] &= written;
        written = 0xffff;
    }
  }
  return true;
}

u32 calculate(u16 operation, u32 left, u32 right) {
  switch (operation) {
    case BPF_ADD:
      return left + right;
    case BPF_SUB:
      return left - right;
    case BPF_MUL:
      return left * right;
    case BPF_DIV:
      return right == 0 ? 0 : left / right;
    case BPF_AND:
      return left & right;
    case BPF_OR:
      return left | right;
    case BPF_XOR:
      return left ^ right;
    case BPF_LSH:
      return left << (right & (kShiftsMost - 1));
    case BPF_RSH:
      return left >> (right & (kShiftsMost - 1));
    default:
      return 0 - left;  // BPF_NEG
  }
}

bool compare(u16 operation, u32 left, u32 right) {
  switch (operation) {
    case BPF_JEQ:
      return left == right;
    case BPF_JGE:
      return left >= right;
    case BPF_JGT:
      return left > right;
    default:
      return (left & right) != 0;  // BPF_JSET
  }
}

/// The registers of a run.
struct Machine {
  u32 a = 0, x = 0;
  u32 scratch[kScratchWords] = {};

  /// Loads, stores and moves.
  void move(const FilterInstruction& at, const FilterInput& input) {
    switch (at.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const u8*>(&input) + at.constant, sizeof a);
        break;
      case BPF_LD | BPF_W | BPF_LEN:
        a = sizeof input;
        break;
      case BPF_LDX | BPF_W | BPF_LEN:
        x = sizeof input;
        break;
      case BPF_LD | BPF_IMM:
        a = at.constant;
        break;
      case BPF_LDX | BPF_IMM:
        x = at.constant;
        break;
      case BPF_LD | BPF_MEM:
        a = scratch[at.constant];
        break;
      case BPF_LDX | BPF_MEM:
        x = scratch[at.constant];
        break;
      case BPF_ST:
        scratch[at.constant] = a;
        break;
      case BPF_STX:
        scratch[at.constant] = x;
        break;
      case BPF_MISC | BPF_TAX:
        x = a;
        break;
      default:
        a = x;  // BPF_MISC | BPF_TXA
    }
  }
};

}  // namespace

bool is_valid_filter(std::span<const FilterInstruction> program) {
  if (program.empty() || program.size() > kFilterInstructionsMost) return false;
  for (std::size_t i = 0; i < program.size(); ++i)
    if (!is_valid_instruction(program[i], program.size() - i - 1)) return false;
  return BPF_CLASS(program.back().code) == BPF_RET && scratch_is_written(program);
}

u32 run_filter(std::span<const FilterInstruction> program, const FilterInput& input) {
  Machine machine;
  for (std::size_t i = 0;; ++i) {
    const FilterInstruction& at = program[i];
    const u16 operation = BPF_OP(at.code);
    const u32 operand = BPF_SRC(at.code) == BPF_X ? machine.x : at.constant;
    switch (BPF_CLASS(at.code)) {
      case BPF_RET:
        return BPF_RVAL(at.code) == BPF_A ? machine.a : at.constant;
      case BPF_ALU:
        machine.a = calculate(operation, machine.a, operand);
        break;
      case BPF_JMP:
        if (operation == BPF_JA)
          i += at.constant;
        else
          i += compare(operation, machine.a, operand) ? at.if_true : at.if_false;
        break;
      default:
        machine.move(at, input);
    }
  }
}

}  // namespace orrery::kernel
