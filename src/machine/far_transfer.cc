// Far jumps, calls and returns, and iret (SDM vol. 2, their pages). A program can only go to its own code
// segment with them; iret also loads the stack pointer and the flags in one step, which runtimes use to
// resume a context. The other code segment that is open to programs means 32-bit code, which is not run.
#include "machine/gate_context.h"

namespace orrery::machine {

using cpu::Gpr;

namespace {

constexpr u64 kUserCode = 0x33, kUserStack = 0x2b, kCompatibilityCode = 0x23;
constexpr u64 kPrivilege = 3;

struct FarPointer {
  u64 offset = 0;
  u64 selector = 0;
};

bool load_word(Gated& gated, u64 address, u64& word) {
  const u64 size = operand_bytes(gated);
  const u64 bytes = gated.context.space.accessible_bytes(address, size, memory::Access::read);
  word = 0;
  if (bytes != size) return access_fault(gated, address + bytes, false, true);
  if (gated.context.space.read(address, {reinterpret_cast<u8*>(&word), size})) return true;
  return access_fault(gated, address, false, true);
}

/// Reads words of the operand's size off the stack.
bool load_words(Gated& gated, std::span<u64> words) {
  u64 address = gated.regs[Gpr::rsp];
  for (u64& word : words) {
    if (!load_word(gated, address, word)) return false;
    address += operand_bytes(gated);
  }
  return true;
}

bool canonical(u64 address) {
  const u64 top = address >> 47;
  return top == 0 || top == 0x1ffff;
}

/// `returning`: the selector's own privilege bits must say 3; a jump or call keeps the program's.
bool check_code_selector(Gated& gated, u64 selector, bool returning) {
  if ((selector & ~kPrivilege) == 0) return general_protection(gated);
  const bool privileged = returning && (selector & kPrivilege) != kPrivilege;
  if (!privileged && (selector | kPrivilege) == kUserCode) return true;
  if (!privileged && (selector | kPrivilege) == kCompatibilityCode)
    gated.context.report.line("a far transfer to 32-bit code is not supported; the program gets SIGSEGV");
  return general_protection(gated, selector & ~kPrivilege);
}

bool go_to(Gated& gated, u64 target) {
  if (!canonical(target)) return general_protection(gated);
  gated.regs.rip = target - gated.decoded.length;  // whoever performs gates moves past the instruction
  ++gated.ticks;
  return true;
}

bool do_return(Gated& gated) {
  u64 words[2];
  u64& rsp = gated.regs[Gpr::rsp];
  // The processor looks at the selector first: that is the address a fault names.
  if (!load_word(gated, rsp + operand_bytes(gated), words[1])) return false;
  if (!load_words(gated, words)) return false;
  if (!check_code_selector(gated, words[1] & 0xffff, true) || !go_to(gated, words[0])) return false;
  rsp += 2 * operand_bytes(gated) + (static_cast<u64>(gated.decoded.immediate) & 0xffff);
  return true;
}

bool do_interrupt_return(Gated& gated) {
  if ((gated.regs.rflags & kNestedTaskFlag) != 0) return general_protection(gated);
  u64 words[5];  // rip, cs, rflags, rsp, ss; the processor looks at rflags first
  if (!load_word(gated, gated.regs[Gpr::rsp] + 2 * operand_bytes(gated), words[2])) return false;
  if (!load_words(gated, words)) return false;
  if (!check_code_selector(gated, words[1] & 0xffff, true)) return false;
  const u64 stack = words[4] & 0xffff;
  if (stack != kUserStack) return general_protection(gated, stack & ~kPrivilege);
  if (!go_to(gated, words[0])) return false;
  const u64 changed = operand_bytes(gated) == 2 ? kProgramFlags & 0xffff : kProgramFlags;
  gated.regs.rflags = (gated.regs.rflags & ~changed) | (words[2] & changed);
  gated.regs[Gpr::rsp] = words[3];
  return true;
}

/// The far pointer in memory: the offset, then the selector.
bool load_pointer(Gated& gated, FarPointer& pointer) {
  const u64 size = operand_bytes(gated), address = operand_address(gated);
  if (!operand_accessible(gated, address, size + 2, false)) return false;
  u8 bytes[10] = {};
  if (!gated.context.space.read(address, {bytes, size + 2}))
    return access_fault(gated, address, false, operand_on_stack(gated));
  __builtin_memcpy(&pointer.offset, bytes, size);
  __builtin_memcpy(&pointer.selector, bytes + size, 2);
  return true;
}

bool push_return(Gated& gated) {
  const u64 size = operand_bytes(gated);
  u64& rsp = gated.regs[Gpr::rsp];
  const u64 low = rsp - 2 * size;
  const u64 bytes = gated.context.space.accessible_bytes(low, 2 * size, memory::Access::write);
  if (bytes != 2 * size) return access_fault(gated, rsp - size, true, true);
  const u64 words[2] = {gated.regs.rip + gated.decoded.length, kUserCode};
  for (u64 i = 0; i < 2; ++i)
    if (!gated.context.space.write(low + i * size, {reinterpret_cast<const u8*>(&words[i]), size}))
      return access_fault(gated, low + i * size, true, true);
  return true;
}

bool do_jump_or_call(Gated& gated, bool call) {
  FarPointer pointer;
  if (!load_pointer(gated, pointer) || !check_code_selector(gated, pointer.selector, false)) return false;
  if (!canonical(pointer.offset)) return general_protection(gated);
  if (call && !push_return(gated)) return false;
  if (call) gated.regs[Gpr::rsp] -= 2 * operand_bytes(gated);
  return go_to(gated, pointer.offset);
}

}  // namespace

bool do_far_transfer(Gated& gated) {
  constexpr u8 kGroup5 = 0xff, kReturn = 0xcb, kReturnDropping = 0xca, kFarCall = 3;
  switch (gated.decoded.opcode) {
    case kGroup5:
      return do_jump_or_call(gated, gated.decoded.modrm_reg() == kFarCall);
    case kReturn:
    case kReturnDropping:
      return do_return(gated);
    default:
      return do_interrupt_return(gated);
  }
}

}  // namespace orrery::machine
