#include "x86/stores.h"

namespace orrery::x86 {

namespace {

constexpr u8 kOneByte = 0, kTwoByte = 1;  // Decoded::map

bool in(u8 opcode, u8 first, u8 last) { return opcode >= first && opcode <= last; }

/// Without ModRM, one-byte map (SDM vol. 2, table A-2).
bool reads_only_implicitly(u8 opcode) {
  const bool arithmetic_on_rax = opcode < 0x40 && (opcode & 7) >= 4 && (opcode & 7) <= 5;
  if (arithmetic_on_rax) return true;
  if (in(opcode, 0x58, 0x5f)) return true;                            // pop reg
  if (in(opcode, 0x90, 0x99) || opcode == 0x9b) return true;          // xchg with rax, cbw, cwd, wait
  if (in(opcode, 0x9e, 0xa1)) return true;                            // sahf, lahf, mov rax from moffs
  if (in(opcode, 0xa6, 0xa9)) return true;                            // cmps, test
  if (in(opcode, 0xac, 0xaf)) return true;                            // lods, scas
  if (in(opcode, 0xb0, 0xbf) || opcode == 0xc9) return true;          // mov reg, imm; leave
  return in(opcode, 0xf8, 0xfd) || opcode == 0xf5 || opcode == 0xd7;  // flags, xlat
}

/// With a ModRM memory operand, one-byte map.
bool reads_operand(u8 opcode, u8 reg) {
  if (opcode < 0x40) return (opcode & 7) == 2 || (opcode & 7) == 3 || in(opcode, 0x38, 0x3b);
  switch (opcode) {
    case 0x63:  // movsxd
    case 0x69:
    case 0x6b:  // imul
    case 0x84:
    case 0x85:  // test
    case 0x8a:
    case 0x8b:  // mov reg, mem
    case 0x8d:  // lea
      return true;
    case 0x80:
    case 0x81:
    case 0x83:
      return reg == 7;  // cmp
    case 0xf6:
    case 0xf7:
      return reg != 2 && reg != 3;  // test, mul, imul, div, idiv; not "not" and "neg"
    default:
      return false;
  }
}

/// With a ModRM memory operand, 0F map, legacy and VEX alike.
bool reads_vector_operand(const Decoded& decoded) {
  const u8 opcode = decoded.opcode;
  switch (opcode) {
    case 0x11:
    case 0x13:
    case 0x17:  // mov* mem, xmm
    case 0xd6:
    case 0xe7:
    case 0xf7:
    case 0xff:
      return false;
    case 0xa3:  // bt
    case 0xaf:  // imul
    case 0x1f:  // nop
    case 0x18:
    case 0x0d:  // prefetch
    case 0x28:
      return true;
    default:
      break;
  }
  if (in(opcode, 0x40, 0x4f)) return decoded.encoding == Encoding::legacy;  // cmov
  return in(opcode, 0x10, 0x16) || in(opcode, 0x2e, 0x2f) || in(opcode, 0x51, 0x6f) ||
         in(opcode, 0x70, 0x76) || in(opcode, 0xb6, 0xb7) || in(opcode, 0xbc, 0xbf) || opcode == 0xc2 ||
         in(opcode, 0xc4, 0xc6) || in(opcode, 0xd0, 0xfe);
}

/// Instructions without a memory operand that write memory all the same.
bool stores_without_operand(const Decoded& decoded) {
  if (decoded.map == kOneByte) return decoded.opcode == 0xff;  // push reg
  if (decoded.map == kTwoByte)
    return in(decoded.opcode, 0x01, 0x01) ||  // clzero and its like
           decoded.opcode == 0xf7;            // maskmovq, maskmovdqu
  return true;
}

}  // namespace

bool may_store(const Decoded& decoded) {
  if (decoded.category != Category::copy) return true;
  if (decoded.encoding != Encoding::legacy && decoded.encoding != Encoding::vex) return true;
  const bool one_byte = decoded.encoding == Encoding::legacy && decoded.map == kOneByte;
  if (!decoded.has_modrm) {
    if (one_byte) return !reads_only_implicitly(decoded.opcode);
    return !(decoded.map == kTwoByte &&
             (decoded.opcode == 0x77 || in(decoded.opcode, 0xc8, 0xcf)));  // emms, bswap
  }
  if (decoded.modrm_mod() == 3) return stores_without_operand(decoded);
  if (one_byte) return !reads_operand(decoded.opcode, decoded.modrm_reg());
  return decoded.map != kTwoByte || !reads_vector_operand(decoded);
}

}  // namespace orrery::x86
