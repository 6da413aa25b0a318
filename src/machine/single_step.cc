#include "machine/single_step.h"

#include "machine/gate_context.h"
#include "x86/decode.h"

namespace orrery::machine {

using cpu::Gpr;

namespace {

constexpr u64 kResumeFlag = 1 << 16;

bool is_string(u8 opcode) {  // movs, cmps, stos, lods, scas
  return (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);
}

bool compares(u8 opcode) { return (opcode & 0xfe) == 0xa6 || (opcode & 0xfe) == 0xae; }

}  // namespace

SingleStep::SingleStep(const memory::AddressSpace& space, cpu::Registers& regs) : pc_(regs.rip) {
  const u64 bytes = space.accessible_bytes(pc_, 15, memory::Access::execute);
  const x86::Decoded decoded = x86::decode({reinterpret_cast<const u8*>(pc_), bytes});
  if (decoded.length == 0 || decoded.map != 0 || decoded.encoding != x86::Encoding::legacy) return;
  constexpr u8 kPushf = 0x9c, kMovToSegment = 0x8e, kStackSegment = 2;
  pushes_flags_ = decoded.opcode == kPushf;
  loads_stack_segment_ = decoded.opcode == kMovToSegment && decoded.modrm_reg() == kStackSegment;
  if (!is_string(decoded.opcode) || !(decoded.has_f2 || decoded.has_f3)) return;
  count_ = regs[Gpr::rcx];
  count_mask_ = decoded.has_67 ? 0xffff'ffff : ~u64{0};
  stops_on_zero_ = compares(decoded.opcode) && decoded.has_f2;
  stops_on_nonzero_ = compares(decoded.opcode) && !decoded.has_f2;
  if ((count_ & count_mask_) != 0) regs[Gpr::rcx] = 1;
}

bool SingleStep::done(memory::AddressSpace& space, cpu::Registers& regs) const {
  if (pushes_flags_) {
    u8 second = 0;
    const u64 at = regs[Gpr::rsp] + 1;
    if (space.read_value(at, second)) {
      second |= kTrapFlag >> 8;
      (void)space.write_value(at, second);
    }
  }
  if ((count_ & count_mask_) == 0) return true;
  const u64 left = (count_ - 1) & count_mask_;
  const bool zero = (regs.rflags & kZeroFlag) != 0;
  regs[Gpr::rcx] = left;
  if (left == 0 || (stops_on_zero_ && zero) || (stops_on_nonzero_ && !zero)) return true;
  regs.rip = pc_;
  regs.rflags |= kResumeFlag;
  return false;
}

void SingleStep::undo(cpu::Registers& regs) const {
  if ((count_ & count_mask_) != 0) regs[Gpr::rcx] = count_;
}

}  // namespace orrery::machine
