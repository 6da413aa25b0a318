// Writes x86-64 bytes into the code cache. Each method is one instruction of the glue; the encodings
// are spelled out beside their names (Intel SDM vol. 2). Callers check room beforehand.
#pragma once

#include <cstring>
#include <span>

#include "base/types.h"
#include "cpu/registers.h"
#include "translate/slots.h"

namespace orrery::translate {

using cpu::Gpr;

/// The absolute address of a slot, as a 32-bit displacement.
constexpr u32 slot_address(u32 offset) { return ORRERY_SLOTS + offset; }

class Emitter {
 public:
  explicit Emitter(u8* at) : at_(at) {}
  u8* at() const { return at_; }

  void byte(u8 value) { *at_++ = value; }
  void bytes(std::span<const u8> values) {
    std::memcpy(at_, values.data(), values.size());
    at_ += values.size();
  }
  /// At most 16 bytes, of 16 that may be read: two stores are quicker than to count.
  void instruction(const u8* from, u8 length) {
    std::memcpy(at_, from, 16);
    at_ += length;
  }
  void word32(u32 value) {
    std::memcpy(at_, &value, 4);
    at_ += 4;
  }
  void word64(u64 value) {
    std::memcpy(at_, &value, 8);
    at_ += 8;
  }

  /// mov [slot], reg
  void store_slot(u32 slot, Gpr reg) { slot_access(0x89, slot, reg); }
  /// mov reg, [slot]
  void load_slot(Gpr reg, u32 slot) { slot_access(0x8b, slot, reg); }
  /// mov reg32, imm32 (zero-extends)
  void mov_imm32(Gpr reg, u32 value) {
    if (number(reg) >= 8) byte(0x41);
    put(u64{value} << 8 | (0xb8 + (number(reg) & 7u)), 5);
  }
  /// mov reg64, imm64, in its shortest form
  void mov_imm64(Gpr reg, u64 value) {
    if (value <= 0xffff'ffff) return mov_imm32(reg, static_cast<u32>(value));
    byte(number(reg) >= 8 ? 0x49 : 0x48);
    byte(static_cast<u8>(0xb8 + (number(reg) & 7)));
    word64(value);
  }
  /// lea reg, [reg + disp32]
  void add_to(Gpr reg, i32 value) {
    byte(number(reg) >= 8 ? 0x4d : 0x48);
    byte(0x8d);
    const u8 low = static_cast<u8>(number(reg) & 7);
    byte(static_cast<u8>(0x80 | (low << 3) | low));
    if (low == 4) byte(0x24);
    word32(static_cast<u32>(value));
  }
  /// mov dword [slot], imm32
  void store_slot_imm32(u32 slot, u32 value) {
    put(u64{slot_address(slot)} << 24 | 0x2504c7, 7);
    word32(value);
  }
  /// slot += value, by way of `reg`, which is destroyed
  void add_to_slot(u32 slot, Gpr reg, i32 value) {
    load_slot(reg, slot);
    add_to(reg, value);
    store_slot(slot, reg);
  }
  void pop_rax() { byte(0x58); }
  /// push imm32 (sign-extended to 64 bits)
  void push_imm32(u32 value) {
    byte(0x68);
    word32(value);
  }
  /// push qword [rip + disp32]; returns where the displacement stands
  u8* push_rip_relative() {
    put(0x35ff, 6);
    return at_ - 4;
  }
  /// jmp rel32; returns where the displacement stands
  u8* jmp_relative() {
    put(0xe9, 5);
    return at_ - 4;
  }
  /// jcc rel32
  u8* jcc_relative(u8 condition) {
    put(0x800fu | u64{condition} << 8, 6);
    return at_ - 4;
  }
  /// jmp [slot]
  void jmp_slot(u32 slot) { put(u64{slot_address(slot)} << 24 | 0x2524ff, 7); }
  /// jrcxz / loop family with an 8-bit displacement to be set by bind8
  u8* short_branch(u8 opcode) {
    byte(opcode);
    byte(0);
    return at_ - 1;
  }
  void bind8(u8* displacement) { *displacement = static_cast<u8>(at_ - (displacement + 1)); }

  /// Points a 32-bit displacement at `target`.
  static void bind32(u8* displacement, const u8* target) {
    const i32 value = static_cast<i32>(target - (displacement + 4));
    std::memcpy(displacement, &value, 4);
  }

 private:
  static constexpr u8 number(Gpr reg) { return static_cast<u8>(reg); }
  /// The low `count` bytes of `value`, by one store of eight: what it writes too much is written over next.
  void put(u64 value, u32 count) {
    std::memcpy(at_, &value, 8);
    at_ += count;
  }
  void slot_access(u8 opcode, u32 slot, Gpr reg) {  // REX.W op /r with SIB [disp32]
    const u64 prefix = number(reg) >= 8 ? 0x4c : 0x48, modrm = 0x04 | ((number(reg) & 7u) << 3);
    word64(prefix | u64{opcode} << 8 | modrm << 16 | u64{0x25} << 24 | u64{slot_address(slot)} << 32);
  }

  u8* at_;
};

}  // namespace orrery::translate
