// Accesses whose places the registers choose, not the instruction's form: gathers and scatters, moves under a
// mask, bit strings, enter with a nesting level. They are worked out before the instruction is executed.
#pragma once

#include <vector>

#include "cpu/registers.h"
#include "cpu/vector_state.h"
#include "translate/access_stream.h"

namespace orrery::translate {

/// Of the instruction at regs.rip, `bytes` long in memory; segment bases are those of `regs`.
void chosen_accesses(const cpu::Registers& regs, const cpu::VectorImage& vectors, std::span<const u8> bytes,
                     std::vector<Access>& out);

}  // namespace orrery::translate
