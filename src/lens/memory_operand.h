// The address an instruction's memory operand has, from its bytes and the registers: what the fault's own
// record does not say for a general-protection fault, and which register was wrong.
#pragma once

#include <optional>
#include <span>

#include "base/types.h"
#include "elf/stopped_machine_hosted.h"

namespace orrery::lens {

struct MemoryOperand {
  u64 address = 0;
  int base = -1;  ///< register number as encoded, -1 if none (rip-relative or absolute)
  int index = -1;
  i64 displacement = 0;
};

/// The explicit operand of the instruction at registers.rip, or the implicit one of a string
/// instruction. Nothing for other implicit operands, register forms and EVEX (whose displacement is scaled).
std::optional<MemoryOperand> memory_operand(std::span<const u8> instruction,
                                            const elf::MachineRegisters& registers);

/// The divisor of the div or idiv at registers.rip. Nothing if it is no such instruction, or its
/// memory cannot be read.
std::optional<u64> divisor(elf::StoppedMachine& machine, std::span<const u8> instruction);

/// An address whose upper 17 bits are not all equal: it faults before any page is looked up.
constexpr bool is_canonical(u64 address) {
  const i64 sign = static_cast<i64>(address) >> 47;
  return sign == 0 || sign == -1;
}

/// "rdi", by the number in the encoding.
const char* register_name(int number);

}  // namespace orrery::lens
