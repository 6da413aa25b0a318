#include "x86/exception.h"

namespace orrery::x86 {
namespace {

/// int imm8: vectors 3 and 4 are open to programs, the rest is #GP naming the gate (arch/x86/kernel/idt.c;
/// SDM vol. 3, 6.13: index of the gate, IDT bit).
Exception software_interrupt(u8 vector) {
  if (vector == kVectorBreakpoint || vector == kVectorOverflow) return {vector, 0, true};
  return {kVectorGeneralProtection, u32{vector} * 8 + 2, false};
}

bool is_ud(const Decoded& decoded) {
  return decoded.map == 1 && (decoded.opcode == 0x0b || decoded.opcode == 0xb9 || decoded.opcode == 0xff);
}

}  // namespace

Exception exception_of(const Decoded& decoded) {
  if (decoded.category == Category::invalid) return {};
  if (decoded.too_long) return {kVectorGeneralProtection, 0, false};
  if (decoded.map == 0) {
    switch (decoded.opcode) {
      case 0xcc:
        return {kVectorBreakpoint, 0, true};
      case 0xcd:
        return software_interrupt(static_cast<u8>(decoded.immediate));
      case 0xf1:
        return {kVectorDebug, 0, true};
      default:
        break;
    }
  }
  if (is_ud(decoded)) return {};
  return {kVectorGeneralProtection, 0, false};
}

}  // namespace orrery::x86
