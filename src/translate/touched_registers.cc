#include "translate/touched_registers.h"

#include "translate/undefined_bits.h"
#include "x86/accesses.h"
#include "x86/register_effects.h"

namespace orrery::translate {

using x86::Category;
using x86::Decoded;
using x86::Encoding;

namespace {

constexpr u64 kFlags = RegisterName::flags().bit();
// What opcodes name by themselves: rax, rcx, rdx, rsi and rdi.
constexpr u64 kImplied = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7;
constexpr u64 kAllVectors = u64{0xffff'ffff} << RegisterName::kFirstVector;

constexpr bool between(u8 value, u8 first, u8 last) { return value >= first && value <= last; }

/// Neither reads nor writes flags (SDM vol. 1, appendix A). Some that do not are not among these.
bool leaves_flags(const Decoded& decoded) {
  const u8 opcode = decoded.opcode;
  if (decoded.map == 0)
    return between(opcode, 0x50, 0x5f) || opcode == 0x63 || opcode == 0x68 || opcode == 0x6a ||
           between(opcode, 0x86, 0x8b) || opcode == 0x8d || between(opcode, 0x90, 0x99) ||
           between(opcode, 0xb0, 0xbf) || opcode == 0xc6 || opcode == 0xc7 || opcode == 0xc9 ||
           opcode == 0xa4 || opcode == 0xa5 || between(opcode, 0xaa, 0xad);
  if (decoded.map == 1)
    return between(opcode, 0x10, 0x1f) || between(opcode, 0x28, 0x2d) || between(opcode, 0x50, 0x7f) ||
           opcode == 0xb6 || opcode == 0xb7 || opcode == 0xbe || opcode == 0xbf || opcode == 0xc2 ||
           between(opcode, 0xc4, 0xc6) || between(opcode, 0xc8, 0xff);
  if (decoded.map == 2) return opcode < 0xf0 && opcode != 0x0e && opcode != 0x0f && opcode != 0x17;
  return decoded.map == 3 && opcode < 0x60;
}

/// Of the maps behind 0f: whether it names vector registers alone, but for its address.
bool is_of_vectors(const Decoded& decoded) {
  const u8 opcode = decoded.opcode;
  if (decoded.map == 1)
    return between(opcode, 0x10, 0x17) || opcode == 0x28 || opcode == 0x29 || opcode == 0x2e ||
           opcode == 0x2f || between(opcode, 0x51, 0x6d) || between(opcode, 0x6f, 0x76) ||
           between(opcode, 0x7c, 0x7d) || opcode == 0x7f || (opcode == 0x7e && decoded.has_f3) ||
           opcode == 0xc2 || opcode == 0xc6 || between(opcode, 0xd0, 0xd6) || between(opcode, 0xd8, 0xf6) ||
           between(opcode, 0xf8, 0xfe);
  return decoded.map == 2 && opcode < 0x8c;
}

u64 of_one_byte(const Decoded& decoded) {
  const u8 opcode = decoded.opcode;
  const bool plain_move = between(opcode, 0x88, 0x8d) || opcode == 0xc6 || opcode == 0xc7;
  u64 names = 0;
  if (between(opcode, 0x50, 0x5f)) return u64{1} << ((opcode & 7) | ((decoded.rex & 1) != 0 ? 8 : 0));
  if (!plain_move && (opcode >= 0x90 || !decoded.has_modrm)) names |= kImplied;
  if (opcode == 0xc9) names |= 1 << 5;
  if (between(opcode, 0xd8, 0xdf)) names |= RegisterName::x87().bit();
  return names;
}

/// Of general registers that fields name: ah to bh are of the first four.
u64 named(u32 number, const Decoded& decoded) {
  const bool maybe_high =
      decoded.encoding == Encoding::legacy && decoded.rex == 0 && number >= 4 && number < 8;
  return u64{1} << number | (maybe_high ? u64{1} << (number - 4) : 0);
}

u64 of_copied(const Decoded& decoded, std::span<const u8> bytes) {
  const bool legacy = decoded.encoding == Encoding::legacy;
  const bool vectors = decoded.map != 0 && is_of_vectors(decoded);
  u64 names = leaves_flags(decoded) ? 0 : kFlags;
  const u32 rm = decoded.modrm_rm() | (x86::vector_fields(decoded, bytes).b ? 8u : 0u);
  const u32 reg = decoded.modrm_reg() | (decoded.reg_high & 8u);
  if (decoded.has_modrm && decoded.modrm_mod() != 3) {
    const x86::AddressForm form = x86::address_form(decoded, bytes);
    if (form.base < 16) names |= u64{1} << form.base;
    if (form.index < 16) names |= u64{1} << form.index;
  }
  if (!vectors) {
    names |= x86::register_effects(decoded, bytes).written;
    if (decoded.has_modrm) names |= named(reg, decoded);
    if (decoded.has_modrm && decoded.modrm_mod() == 3) names |= named(rm, decoded);
  }
  if (legacy && decoded.map == 0) return names | of_one_byte(decoded);
  const bool simple =
      decoded.map == 1 &&
      (between(decoded.opcode, 0x40, 0x4f) || between(decoded.opcode, 0x90, 0x9f) || decoded.opcode == 0xb6 ||
       decoded.opcode == 0xb7 || decoded.opcode == 0xbe || decoded.opcode == 0xbf || decoded.opcode == 0xaf);
  if (legacy && simple) return names;
  names |= RegisterName::x87().bit();
  if (legacy && decoded.map == 1 && decoded.opcode >= 0xa0 && !vectors) names |= kImplied;
  if (decoded.map >= 2) names |= RegisterName::vector(0).bit();
  if (!legacy) {
    if (!vectors) names |= kImplied | u64{1} << (decoded.vvvv & 15);
    names |= RegisterName::vector(decoded.vvvv & 31).bit();
    const bool zeroes_all = decoded.map == 1 && decoded.opcode == 0x77;  // vzeroupper
    if (zeroes_all || decoded.map == 3 || !vectors) names |= kAllVectors;
  }
  if (decoded.encoding == Encoding::evex) names |= kAllVectors | u64{0xff} << RegisterName::kFirstMask;
  if (decoded.has_modrm) names |= RegisterName::vector(reg).bit() | RegisterName::vector(rm).bit();
  return names;
}

}  // namespace

u64 touched_registers(const Decoded& decoded, std::span<const u8> bytes) {
  switch (decoded.category) {
    case Category::copy:
      return of_copied(decoded, bytes);
    case Category::jump_if:
      return kFlags;
    case Category::jump:
    case Category::call:
    case Category::ret:
      return 0;
    case Category::jump_indirect:
    case Category::call_indirect: {
      const x86::AddressForm form =
          decoded.modrm_mod() != 3 ? x86::address_form(decoded, bytes) : x86::AddressForm{};
      u64 names = 0;
      if (decoded.modrm_mod() == 3)
        names |= u64{1} << (decoded.modrm_rm() | ((decoded.rex & 1) != 0 ? 8 : 0));
      if (form.base < 16) names |= u64{1} << form.base;
      if (form.index < 16) names |= u64{1} << form.index;
      return names;
    }
    default:
      return ~u64{0};
  }
}

}  // namespace orrery::translate
