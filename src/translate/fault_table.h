// Faults that need no execution to be known: what the kernel sends for instructions that only trap, and
// for a fetch that fails (arch/x86/kernel/traps.c, arch/x86/mm/fault.c).
#pragma once

#include <optional>

#include "base/types.h"
#include "cpu/exit.h"
#include "memory/address_space.h"

namespace orrery::translate {

/// The fault of the trapping or undefined instruction at `pc`. The bytes are readable there.
cpu::Fault raised_fault(u64 pc, u8 instruction_bytes);

/// The fault that executing the copy of the instruction at `pc` raised, as the original would have: some
/// exceptions report the instruction's own address.
cpu::Fault executed_fault(const cpu::Fault& host_fault, u64 pc);

/// The fault of a transfer to an address that cannot be one; nothing if `target` can be.
/// Intel processors raise it at the transfer, before it does anything (SDM vol. 2, RET, CALL, JMP).
std::optional<cpu::Fault> transfer_fault(u64 target);

/// The fault of an instruction fetch whose byte at `address` cannot be had.
cpu::Fault instruction_fetch_fault(const memory::AddressSpace& space, u64 address);

}  // namespace orrery::translate
