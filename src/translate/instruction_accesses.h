// Where an instruction that is about to be executed accesses memory, from the registers that it finds.
#pragma once

#include <span>
#include <vector>

#include "cpu/registers.h"
#include "translate/access_stream.h"
#include "x86/accesses.h"
#include "x86/decode.h"

namespace orrery::translate {

/// Of an access that the registers do not choose. Those of fs and gs are in `regs`.
u64 instruction_address(const x86::MemoryAccess& access, const x86::Decoded& decoded,
                        std::span<const u8> bytes, const cpu::Registers& regs);

/// All of them, but for those that its registers choose. A repeated string instruction's are those of all
/// its elements. `accesses` are those of the instruction.
void instruction_accesses(const cpu::Registers& regs, const x86::Decoded& decoded, std::span<const u8> bytes,
                          const x86::Accesses& accesses, std::vector<Access>& out);

}  // namespace orrery::translate
