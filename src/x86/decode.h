// One instruction, taken apart as far as the translator needs: how long it is, where its fields
// stand, whether it transfers control, and whether it may simply be copied. Debian ships Zydis only
// as a shared library and the engine is static, so the engine decodes with its own tables; they are
// generated from Zydis (isa_table.h) and a test compares the two on all of libc and on random bytes.
#pragma once

#include <span>

#include "base/types.h"
#include "x86/gate.h"

namespace orrery::x86 {

enum class Category : u8 {
  invalid,        ///< not an instruction here (#UD), or not in the profile
  copy,           ///< may be executed as it stands (after moving a rip-relative operand)
  jump,           ///< jmp rel8/rel32
  jump_if,        ///< jcc rel8/rel32; `condition` holds tttn
  loop,           ///< loop, loope, loopne, jrcxz, jecxz (rel8)
  call,           ///< call rel32
  jump_indirect,  ///< jmp r/m64
  call_indirect,  ///< call r/m64
  ret,            ///< ret, ret imm16
  far_transfer,   ///< far jmp/call/ret, iret: performed like a gated one
  syscall,        ///< syscall
  gated,          ///< `gate` says which
  trap,           ///< int3, int imm8, icebp, ud0/1/2, hlt, in/out, cli ...: raises a fault, never copied
};

enum class Encoding : u8 { legacy, vex, evex, xop };

struct Decoded {
  u8 length = 0;          ///< 1..15; 0 when the bytes ran out before the end (fetch fault)
  bool too_long = false;  ///< more than 15 bytes: category trap, #GP
  Category category = Category::invalid;
  Encoding encoding = Encoding::legacy;
  u8 map = 0;  ///< 0 one-byte, 1 0F, 2 0F38, 3 0F3A, 4.. EVEX maps, 0x0f 3DNow!
  u8 opcode = 0;
  u8 prefix_bytes = 0;  ///< legacy and REX prefixes before the opcode/VEX/EVEX bytes
  u8 rex = 0;           ///< 0 if none (legacy encoding only)
  bool has_66 = false, has_67 = false, has_f2 = false, has_f3 = false, has_lock = false;
  u8 segment = 0;  ///< 0 or the prefix byte in force (0x64 fs, 0x65 gs, ...)
  bool has_modrm = false;
  u8 modrm = 0, sib = 0;
  u8 modrm_offset = 0;
  u8 opcode_offset = 0;       ///< of the opcode byte itself; VEX and EVEX begin at prefix_bytes
  u8 reg_high = 0, vvvv = 0;  ///< bits 3 and 4 of the register in ModRM.reg; the VEX/EVEX operand (0..31)
  u8 displacement_offset = 0, displacement_bytes = 0;
  i32 displacement = 0;  ///< sign extended, as encoded (EVEX disp8 is not scaled); 0 for moffs
  u8 immediate_offset = 0, immediate_bytes = 0;  ///< enter: 3 bytes; 3DNow!, is4: the byte
  i64 immediate = 0;                             ///< sign extended; the branch displacement for relative
                                                 ///< transfers; the address of moffs
  bool rip_relative = false;                     ///< memory operand is [rip + displacement]
  u8 condition = 0;                              ///< tttn of jcc; for `loop` the opcode's low two bits
  Gate gate = Gate::none;
  u8 feature = 0;  ///< index into x86::Feature (isa_table.h) that cpuid must offer

  u8 modrm_mod() const { return static_cast<u8>(modrm >> 6); }
  u8 modrm_reg() const { return static_cast<u8>((modrm >> 3) & 7); }
  u8 modrm_rm() const { return static_cast<u8>(modrm & 7); }
  bool is_control_transfer() const {
    return category >= Category::jump && category <= Category::far_transfer;
  }
};

/// Decodes the first instruction of `bytes` in 64-bit mode. Never reads past `bytes`.
Decoded decode(std::span<const u8> bytes);

/// movs, cmps, stos, lods or scas with a rep prefix, and 64-bit count.
bool is_repeated_string(const Decoded& decoded);
/// Of these, those that end by a condition too: cmps and scas.
bool is_compare_string(const Decoded& decoded);

/// The length of the first instruction if decode() would say of it that it is a copy without a rip-relative
/// operand, needs nothing of cpuid and is no approximation. Else 0, and 0 too for rare ones among these and
/// when there are fewer than 15 bytes. For most instructions of a program it is all the translator must know.
u8 plain_length(std::span<const u8> bytes);

}  // namespace orrery::x86
