#include "x86/register_effects.h"

#include "x86/accesses.h"

namespace orrery::x86 {
namespace {

constexpr u16 kAll = 0xffff;
constexpr u8 kRax = 0, kRsp = 4;
constexpr i64 kStackBytes = 8;

constexpr u16 bit(unsigned reg) { return static_cast<u16>(1u << (reg & 15)); }
constexpr bool between(u8 value, u8 first, u8 last) { return value >= first && value <= last; }

/// Group 1: add, or, adc, sbb, and, sub, xor, cmp with an immediate, by ModRM.reg.
bool is_group_1(u8 opcode) { return opcode == 0x80 || opcode == 0x81 || opcode == 0x83; }

/// Writes no general register.
bool writes_none(const Decoded& decoded) {
  const u8 opcode = decoded.opcode;
  const bool to_memory = decoded.has_modrm && decoded.modrm_mod() != 3;
  if (decoded.map == 0) {
    if (opcode == 0x88 || opcode == 0x89 || opcode == 0xc6 || opcode == 0xc7) return to_memory;  // mov
    if (between(opcode, 0x38, 0x3d)) return true;                                                // cmp
    if (is_group_1(opcode)) return decoded.modrm_reg() == 7 || to_memory;
    return opcode == 0x84 || opcode == 0x85 || opcode == 0xa8 || opcode == 0xa9;  // test
  }
  return decoded.map == 1 && to_memory && (opcode == 0x11 || opcode == 0x29 || opcode == 0x7f);  // movups ...
}

/// Of the one-byte opcodes, those that write only registers which their fields name, or rax.
bool is_explicit_one_byte(const Decoded& decoded) {
  const u8 opcode = decoded.opcode;
  if (opcode < 0x40) return (opcode & 7) < 6;
  if (opcode == 0xf6 || opcode == 0xf7) return decoded.modrm_reg() < 4;  // test, not, neg; not mul, div
  if (opcode == 0xfe || opcode == 0xff) return decoded.modrm_reg() < 2;  // inc, dec
  return opcode == 0x63 || opcode == 0x69 || opcode == 0x6b || between(opcode, 0x80, 0x8b) ||
         opcode == 0x8d || between(opcode, 0x90, 0x98) || opcode == 0xa8 || opcode == 0xa9 ||
         between(opcode, 0xb0, 0xc1) || opcode == 0xc6 || opcode == 0xc7 || between(opcode, 0xd0, 0xd3);
}

bool is_explicit_two_byte(u8 opcode) {
  return between(opcode, 0x10, 0x1f) || between(opcode, 0x28, 0x2f) || between(opcode, 0x40, 0x76) ||
         between(opcode, 0x7c, 0x7f) || between(opcode, 0x90, 0x9f) || between(opcode, 0xa3, 0xa5) ||
         between(opcode, 0xab, 0xad) || opcode == 0xaf || between(opcode, 0xb6, 0xc6) ||
         between(opcode, 0xc8, 0xf6);
}

bool is_explicit(const Decoded& decoded) {
  if (decoded.encoding != Encoding::legacy) return decoded.map == 1 || decoded.map == 2;
  return decoded.map == 0 ? is_explicit_one_byte(decoded)
                          : decoded.map == 1 && is_explicit_two_byte(decoded.opcode);
}

/// Every register that a field could name, whichever field it is that is written.
u16 named(const Decoded& decoded, const VectorFields& fields) {
  u16 registers = 0;
  const auto name = [&](unsigned low, bool high) {
    registers = static_cast<u16>(registers | bit(low + (high ? 8 : 0)));
    // Without REX these may be ah to bh, of the first four registers.
    if (decoded.encoding == Encoding::legacy && decoded.rex == 0 && low >= 4)
      registers = static_cast<u16>(registers | bit(low & 3));
  };
  if (decoded.has_modrm) {
    name(decoded.modrm_reg(), (decoded.reg_high & 8) != 0);
    if (decoded.modrm_mod() == 3) name(decoded.modrm_rm(), fields.b);
  } else {
    name(decoded.opcode & 7, fields.b);
    registers = static_cast<u16>(registers | bit(kRax));
  }
  if (decoded.encoding != Encoding::legacy) name(decoded.vvvv & 7, (decoded.vvvv & 8) != 0);
  return registers;
}

/// push and pop of a register, push of an immediate, add and sub of one.
bool adds(const Decoded& decoded, const VectorFields& fields, RegisterEffects& effects) {
  if (decoded.encoding != Encoding::legacy || decoded.map != 0 || decoded.has_66) return false;
  const u8 opcode = decoded.opcode;
  if (between(opcode, 0x50, 0x57) || opcode == 0x68 || opcode == 0x6a) {
    effects = {.added_to = kRsp, .added = -kStackBytes};
    return true;
  }
  if (between(opcode, 0x58, 0x5f)) {
    const unsigned to = (opcode & 7u) + (fields.b ? 8u : 0u);
    if (to == kRsp) return false;
    effects = {.written = bit(to), .added_to = kRsp, .added = kStackBytes};
    return true;
  }
  const bool wide = (decoded.rex & 8) != 0, adds = decoded.modrm_reg() == 0, takes = decoded.modrm_reg() == 5;
  if (!is_group_1(opcode) || opcode == 0x80 || !wide || decoded.modrm_mod() != 3 || !(adds || takes))
    return false;
  effects = {.added_to = static_cast<u8>(decoded.modrm_rm() + (fields.b ? 8 : 0)),
             .added = adds ? decoded.immediate : -decoded.immediate};
  return true;
}

}  // namespace

RegisterEffects register_effects(const Decoded& decoded, std::span<const u8> bytes) {
  if (decoded.category == Category::jump_if) return {};
  if (decoded.category != Category::copy) return {.written = kAll};
  if (decoded.encoding == Encoding::legacy && writes_none(decoded)) return {};
  const VectorFields fields = vector_fields(decoded, bytes);
  RegisterEffects effects;
  if (adds(decoded, fields, effects)) return effects;
  return {.written = is_explicit(decoded) ? named(decoded, fields) : kAll};
}

}  // namespace orrery::x86
