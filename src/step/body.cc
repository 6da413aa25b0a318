// A rip-relative operand means another address on the scratch page. It becomes [register] with that
// address in a register the instruction does not use. rsi, rdi and rbp are never implicit operands of
// an instruction with ModRM.rm in memory, need no REX.B, and at most two of them can be named by
// ModRM.reg and vvvv; so one is always free and the instruction keeps its length and prefixes.
#include "step/body.h"

#include <cstring>

extern "C" const orrery::u8 orrery_step_template[], orrery_step_template_exit[];

namespace orrery::step {

using cpu::Gpr;
using x86::Decoded;
using x86::Encoding;

namespace {

constexpr u8 kLoad = 0x8b, kStore = 0x89;  // mov r64, r/m64; mov r/m64, r64

Gpr free_register(const Decoded& decoded) {
  const unsigned reg = decoded.modrm_reg() | decoded.reg_high;
  for (Gpr candidate : {Gpr::rsi, Gpr::rdi}) {
    const unsigned number = static_cast<unsigned>(candidate);
    if (reg != number && decoded.vvvv != number) return candidate;
  }
  return Gpr::rbp;
}

u64 operand_address(const Decoded& decoded, u64 pc) {
  const u64 address = pc + decoded.length + static_cast<u64>(static_cast<i64>(decoded.displacement));
  return decoded.has_67 ? address & 0xffff'ffff : address;
}

}  // namespace

void Body::bytes(std::span<const u8> from) {
  std::memcpy(at_, from.data(), from.size());
  at_ += from.size();
}

void Body::word32(u32 value) {
  std::memcpy(at_, &value, sizeof value);
  at_ += sizeof value;
}

void Body::frame_access(u8 opcode, u8 reg, u64 frame_offset) {
  const u8 code[] = {0x48, opcode, static_cast<u8>((reg << 3) | 5)};
  bytes(code);
  word32(static_cast<u32>(scratch_ + ORRERY_STEP_DATA + frame_offset - (at_ + 4)));
}

void Body::borrow(const Decoded& decoded, u64 pc) {
  register_ = free_register(decoded);
  borrowed_ = true;
  const u8 number = static_cast<u8>(register_);
  frame_access(kStore, number, ORRERY_STEP_SPILL);
  const u8 load_immediate[] = {0x48, static_cast<u8>(0xb8 | number)};
  bytes(load_immediate);
  const u64 address = operand_address(decoded, pc);
  std::memcpy(at_, &address, sizeof address);
  at_ += sizeof address;
}

void Body::give_back() {
  if (borrowed_) frame_access(kLoad, static_cast<u8>(register_), ORRERY_STEP_SPILL);
}

/// The instruction with [register + 0] for its rip-relative operand.
void Body::rewritten(const Decoded& decoded, std::span<const u8> from) {
  u8* const start = at_;
  bytes(from);
  u8* const after_prefixes = start + decoded.prefix_bytes;
  if (decoded.encoding == Encoding::legacy) {
    if (decoded.rex != 0) after_prefixes[-1] &= static_cast<u8>(~1u);
  } else if (after_prefixes[0] != 0xc5) {
    after_prefixes[1] |= 0x20;  // B, inverted
  }
  start[decoded.modrm_offset] = static_cast<u8>(0x80 | (decoded.modrm & 0x38) | static_cast<u8>(register_));
  std::memset(start + decoded.displacement_offset, 0, 4);
}

void Body::copy(const Decoded& decoded, std::span<const u8> from, u64 pc) {
  if (!decoded.rip_relative) return bytes(from);
  borrow(decoded, pc);
  rewritten(decoded, from);
  give_back();
}

void Body::load_target(const Decoded& decoded, std::span<const u8> from, u64 pc) {
  // jmp and call r/m64 (FF /4, /2) become mov rax, r/m64, which has the same operand and faults alike.
  if (decoded.rip_relative) borrow(decoded, pc);
  u8 load[16];
  u8* to = load;
  const u64 prefixes = decoded.prefix_bytes - (decoded.rex != 0 ? 1u : 0u);
  for (u8 byte : from.first(prefixes))
    if (byte != 0x66 && byte != 0xf2 && byte != 0xf3) *to++ = byte;
  *to++ = static_cast<u8>(0x48 | (decoded.rip_relative ? 0 : decoded.rex & 3));
  *to++ = kLoad;
  const u64 tail = static_cast<u64>(decoded.length - decoded.modrm_offset);
  std::memcpy(to, from.data() + decoded.modrm_offset, tail);
  *to &= static_cast<u8>(~0x38u);
  if (decoded.rip_relative) {
    *to = static_cast<u8>(0x80 | static_cast<u8>(register_));
    std::memset(to + 1, 0, 4);
  }
  frame_access(kStore, 0, ORRERY_STEP_VALUE);  // the guest's rax waits in `value` while rax holds the target
  bytes({load, static_cast<u64>(to - load) + tail});
  const u8 exchange[] = {0x48, 0x87, 0x05};  // xchg [value], rax
  bytes(exchange);
  word32(static_cast<u32>(scratch_ + ORRERY_STEP_DATA + ORRERY_STEP_VALUE - (at_ + 4)));
  give_back();
}

void Body::load_return_address() {
  frame_access(kStore, 0, ORRERY_STEP_SPILL);
  const u8 load[] = {0x48, 0x8b, 0x04, 0x24};  // mov rax, [rsp]
  bytes(load);
  frame_access(kStore, 0, ORRERY_STEP_VALUE);
  frame_access(kLoad, 0, ORRERY_STEP_SPILL);
}

void Body::push_value() {
  const u8 push[] = {0xff, 0x35};
  bytes(push);
  word32(static_cast<u32>(scratch_ + ORRERY_STEP_DATA + ORRERY_STEP_VALUE - (at_ + 4)));
}

void Body::finish() {
  *at_++ = 0xe9;
  const u8* exit = scratch_ + (orrery_step_template_exit - orrery_step_template);
  word32(static_cast<u32>(exit - (at_ + 4)));
}

}  // namespace orrery::step
