#include "translate/fault_table.h"

#include <signal.h>

#include <cstring>

namespace orrery::translate {

namespace {

// Exception vectors (SDM vol. 3, table 6-1), as sigcontext.trapno shows them.
constexpr u64 kVectorDebug = 1, kVectorBreakpoint = 3, kVectorInvalidOpcode = 6,
              kVectorGeneralProtection = 13, kVectorPageFault = 14;
// Page fault error code bits (SDM vol. 3, 4.7).
constexpr u64 kPresent = 1, kUser = 4, kFetch = 16;

constexpr cpu::Fault kInvalidOpcode{SIGILL, ILL_ILLOPN, 0, 0, kVectorInvalidOpcode};
constexpr cpu::Fault kGeneralProtection{SIGSEGV, SI_KERNEL, 0, 0, kVectorGeneralProtection};

bool is_legacy_prefix(u8 byte) {
  switch (byte) {
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x26:
    case 0x64:
    case 0x65:
      return true;
    default:
      return (byte & 0xf0) == 0x40;
  }
}

}  // namespace

cpu::Fault raised_fault(u64 pc, u8 instruction_bytes) {
  const u8* bytes = reinterpret_cast<const u8*>(pc);
  u8 at = 0;
  while (at + 1 < instruction_bytes && is_legacy_prefix(bytes[at])) ++at;
  cpu::Fault fault = kInvalidOpcode;
  switch (bytes[at]) {
    case 0xcc:  // int3: the kernel reports the pc after it; so does the executor (rip is moved on by the
                // machine)
      return {SIGTRAP, SI_KERNEL, 0, 0, kVectorBreakpoint};
    case 0xf1:  // icebp
      return {SIGTRAP, TRAP_BRKPT, pc + instruction_bytes, 0, kVectorDebug};
    case 0xcd:  // int imm8 to a gate user code may not use: #GP(vector * 8 + 2)
      fault = kGeneralProtection;
      fault.error_code = static_cast<u64>(bytes[at + 1]) * 8 + 2;
      return fault;
    case 0x0f: {
      const u8 second = bytes[at + 1];
      const bool undefined = second == 0x0b || second == 0xb9 || second == 0xff;
      const bool privileged = second == 0x00 || second == 0x01 || second == 0x06 || second == 0x08 ||
                              second == 0x09 || (second >= 0x20 && second <= 0x23) || second == 0x30 ||
                              second == 0x32 || second == 0x33 || second == 0xc7 || second == 0x07;
      if (!undefined && privileged) return kGeneralProtection;
      break;
    }
    case 0xf4:
    case 0xfa:
    case 0xfb:  // hlt, cli, sti
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x6f:  // ins, outs
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:  // in, out
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef:
    case 0xca:
    case 0xcb:
    case 0xcf:
    case 0xff:  // far returns, iret, far jmp and call
      return kGeneralProtection;
    default:
      break;
  }
  fault.address = pc;
  return fault;
}

cpu::Fault instruction_fetch_fault(const memory::AddressSpace& space, u64 address) {
  constexpr u64 kCanonicalEnd = u64{1} << 47;
  if (address >= kCanonicalEnd && address < ~u64{0} - kCanonicalEnd + 1) return kGeneralProtection;
  const memory::Region* region = space.find(address);
  const u64 error = kUser | kFetch | (region != nullptr && region->protection != 0 ? kPresent : 0);
  return {SIGSEGV, region != nullptr ? SEGV_ACCERR : SEGV_MAPERR, address, error, kVectorPageFault};
}

}  // namespace orrery::translate
