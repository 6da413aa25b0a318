// What the performers of gated instructions share: the instruction, its operands, and the exceptions it may
// raise, in the kernel's words.
#pragma once

#include "machine/gates.h"
#include "x86/decode.h"

namespace orrery::machine {

inline constexpr u64 kCarryFlag = 1 << 0, kZeroFlag = 1 << 6, kTrapFlag = 1 << 8, kNestedTaskFlag = 1 << 14,
                     kAlignmentFlag = 1 << 18;
inline constexpr u64 kArithmeticFlags = kCarryFlag | 1 << 2 | 1 << 4 | kZeroFlag | 1 << 7 | 1 << 11;
/// What popf and iret may change at CPL 3 with IOPL 0 (SDM vol. 2, POPF): not IF, IOPL, VM, RF, VIF, VIP.
inline constexpr u64 kProgramFlags =
    kArithmeticFlags | kTrapFlag | 1 << 10 | kNestedTaskFlag | kAlignmentFlag | 1 << 21;

struct Gated {
  GateContext& context;
  cpu::Registers& regs;
  u64& ticks;
  const x86::Decoded& decoded;
  x86::Gate gate;
  cpu::Fault& fault;
};

// --- exceptions: each notes the fault and returns false, what a performer then returns ---

bool undefined(Gated& gated);
bool general_protection(Gated& gated, u64 error_code = 0);
/// An access of the operand (or, with `on_stack`, of the stack) that failed at `address`.
bool access_fault(Gated& gated, u64 address, bool write, bool on_stack = false);

// --- operands ---

/// The linear address of the ModRM memory operand (SDM vol. 2, 2.1.5 and 2.2.1).
u64 operand_address(const Gated& gated);
bool operand_on_stack(const Gated& gated);  ///< its segment is ss
inline bool operand_is_register(const Gated& gated) { return gated.decoded.modrm_mod() == 3; }
u64& rm_register(const Gated& gated);
u64& reg_register(const Gated& gated);
inline bool wide(const Gated& gated) { return (gated.decoded.rex & 8) != 0; }
/// 8 with REX.W, 2 with 66, else 4.
u64 operand_bytes(const Gated& gated);
/// Writes a register of the instruction's operand size: a 32-bit one is zero-extended.
void set_register(const Gated& gated, u64& reg, u64 value);

/// False, with the fault noted, unless all bytes may be accessed. A write is prepared.
bool operand_accessible(Gated& gated, u64 address, u64 size_bytes, bool write);
/// The same for an image of the processor's state, whose last byte the processor tries first.
bool image_accessible(Gated& gated, u64 address, u64 size_bytes, bool write);
/// Reads a 16-bit selector: a register or memory operand.
bool read_selector(Gated& gated, u64& selector);

// --- performers in other files ---

bool do_segment_query(Gated& gated);    ///< lar, lsl, verr, verw
bool do_processor_table(Gated& gated);  ///< sgdt, sidt, sldt, str, smsw
bool do_far_transfer(Gated& gated);     ///< far jmp, call and ret; iret
bool do_xsave(Gated& gated);            ///< xsave, xsavec, xsaveopt
bool do_xrstor(Gated& gated);
bool do_fxsave(Gated& gated);
bool do_fxrstor(Gated& gated);
bool do_approximation(Gated& gated);  ///< rcpps, rsqrtps and their kin
bool do_fnstenv(Gated& gated);        ///< fnstenv, fnsave
u64 components_in_use(Gated& gated);  ///< XINUSE, for xgetbv(1)

}  // namespace orrery::machine
