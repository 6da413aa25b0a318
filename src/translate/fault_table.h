// Faults that need no execution to be known: what the kernel sends for instructions that only trap, and
// for a fetch that fails (arch/x86/kernel/traps.c, arch/x86/mm/fault.c).
#pragma once

#include "base/types.h"
#include "cpu/exit.h"
#include "memory/address_space.h"

namespace orrery::translate {

/// The fault of the trapping or undefined instruction at `pc`. The bytes are readable there.
cpu::Fault raised_fault(u64 pc, u8 instruction_bytes);

/// The fault of an instruction fetch whose byte at `address` cannot be had.
cpu::Fault instruction_fetch_fault(const memory::AddressSpace& space, u64 address);

}  // namespace orrery::translate
