#include "translate/fault_table.h"

#include <signal.h>

#include "x86/decode.h"
#include "x86/exception.h"

namespace orrery::translate {

namespace {

// Page fault error code bits (SDM vol. 3, 4.7).
constexpr u64 kPresent = 1, kUser = 4, kFetch = 16;

constexpr cpu::Fault kGeneralProtection{SIGSEGV, SI_KERNEL, 0, 0, x86::kVectorGeneralProtection};

}  // namespace

cpu::Fault raised_fault(u64 pc, u8 instruction_bytes) {
  x86::Decoded decoded = x86::decode({reinterpret_cast<const u8*>(pc), instruction_bytes});
  // Anything else that is no trap is undefined, here or in the guest's profile.
  if (decoded.category != x86::Category::trap) decoded.category = x86::Category::invalid;
  const x86::Exception exception = x86::exception_of(decoded);
  switch (exception.vector) {
    case x86::kVectorDebug:
      return {SIGTRAP, TRAP_BRKPT, pc + instruction_bytes, 0, exception.vector};
    case x86::kVectorBreakpoint:  // the pc after it is reported; the machine moves rip on
      return {SIGTRAP, SI_KERNEL, 0, 0, exception.vector};
    case x86::kVectorInvalidOpcode:
      return {SIGILL, ILL_ILLOPN, pc, 0, exception.vector};
    default:
      return {SIGSEGV, SI_KERNEL, 0, exception.error_code, exception.vector};
  }
}

cpu::Fault executed_fault(const cpu::Fault& host_fault, u64 pc) {
  constexpr u64 kVectorDivideError = 0, kVectorX87Error = 16, kVectorSimdError = 19;
  cpu::Fault fault = host_fault;
  switch (fault.trap_number) {
    case kVectorDivideError:
    case x86::kVectorInvalidOpcode:
    case kVectorX87Error:
    case kVectorSimdError:
      fault.address = pc;
      break;
    default:
      break;
  }
  return fault;
}

std::optional<cpu::Fault> transfer_fault(u64 target) {
  const u64 top = target >> 47;
  if (top == 0 || top == 0x1ffff) return std::nullopt;
  return kGeneralProtection;
}

cpu::Fault instruction_fetch_fault(const memory::AddressSpace& space, u64 address) {
  if (const auto fault = transfer_fault(address)) return *fault;
  const memory::Region* region = space.find(address);
  // Of its own half the kernel tells nothing apart: always "present" (fault.c, sanitize_error_code).
  const bool present = (address >> 63) != 0 || (region != nullptr && region->protection != 0);
  const u64 error = kUser | kFetch | (present ? kPresent : 0);
  return {SIGSEGV, region != nullptr ? SEGV_ACCERR : SEGV_MAPERR, address, error, x86::kVectorPageFault};
}

}  // namespace orrery::translate
