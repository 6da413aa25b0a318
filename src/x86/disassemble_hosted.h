// One instruction for people, with what its operands stand for. Hosted only: the engine decodes with its own
// tables (decode.h).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::x86 {

/// The registers that operands are computed from, numbered as the encoding numbers them.
struct OperandRegisters {
  u64 gpr[16] = {};
  u64 rflags = 0, fs_base = 0, gs_base = 0;
};

enum class OperandKind : u8 { register_, memory, immediate, target };

struct ShownOperand {
  OperandKind kind = OperandKind::immediate;
  bool is_read = false, is_written = false;
  bool is_explicit = true;  ///< stands in the instruction's text
  u32 size_bits = 0;
  std::string name{};            ///< of a register; of memory, as it is written in the instruction
  std::optional<u64> value{};    ///< of a general register before the instruction, an immediate, a target
  std::optional<u64> address{};  ///< of memory
};

struct ShownInstruction {
  u8 length = 0;  ///< 0: no instruction
  std::string text{};
  std::vector<ShownOperand> operands{};
  std::optional<bool> taken{};  ///< of a conditional jump, with the registers given
};

/// Names an address, "" for none.
using AddressNames = std::function<std::string(u64)>;

/// Intel's syntax. Without registers only the text is given.
ShownInstruction disassemble(std::span<const u8> bytes, u64 address, const AddressNames& names,
                             const OperandRegisters* registers);

}  // namespace orrery::x86
