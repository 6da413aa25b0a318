#include "translate/touched_registers.h"

#include <optional>

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
  const bool prefixed = decoded.has_66 || decoded.has_f2 || decoded.has_f3;
  const bool of_floats = decoded.map == 1 && (opcode < 0x60 || opcode == 0xc2 || opcode == 0xc6);
  if (decoded.encoding == Encoding::legacy && !prefixed && !of_floats) return false;  // MMX
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

u64 of_address(const Decoded& decoded, std::span<const u8> bytes) {
  const x86::AddressForm form = x86::address_form(decoded, bytes);
  u64 names = 0;
  if (form.base < 16) names |= u64{1} << form.base;
  if (form.index < 16) names |= u64{1} << form.index;
  return names;
}

/// Of general registers that fields name: ah to bh are of the first four.
u64 named(u32 number, const Decoded& decoded) {
  const bool maybe_high =
      decoded.encoding == Encoding::legacy && decoded.rex == 0 && number >= 4 && number < 8;
  return u64{1} << number | (maybe_high ? u64{1} << (number - 4) : 0);
}

/// Of what executes as it stands, too many rather than too few.
u64 of_copied(const Decoded& decoded, std::span<const u8> bytes) {
  const bool legacy = decoded.encoding == Encoding::legacy;
  const bool vectors = decoded.map != 0 && is_of_vectors(decoded);
  u64 names = leaves_flags(decoded) ? 0 : kFlags;
  const u32 rm = decoded.modrm_rm() | (x86::vector_fields(decoded, bytes).b ? 8u : 0u);
  const u32 reg = decoded.modrm_reg() | (decoded.reg_high & 8u);
  if (decoded.has_modrm && decoded.modrm_mod() != 3) names |= of_address(decoded, bytes);
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

// --- those whose effects are known exactly ---

/// An instruction's operands, as RegisterName::bit().
struct Operands {
  u64 reg = 0, rm = 0;  ///< general registers; rm: of the address, if it is memory
  u64 vector_reg = 0, vector_rm = 0, vector_third = 0;
  bool is_memory = false, same = false;
};

Operands operands_of(const Decoded& decoded, std::span<const u8> bytes) {
  const u32 rm = decoded.modrm_rm() | (x86::vector_fields(decoded, bytes).b ? 8u : 0u);
  const u32 reg = decoded.modrm_reg() | (decoded.reg_high & 8u);
  Operands all;
  all.is_memory = decoded.modrm_mod() != 3;
  all.same = !all.is_memory && rm == reg;
  all.reg = u64{1} << reg;
  all.rm = all.is_memory ? of_address(decoded, bytes) : u64{1} << rm;
  all.vector_reg = RegisterName::vector(reg).bit();
  all.vector_rm = all.is_memory ? all.rm : RegisterName::vector(rm).bit();
  all.vector_third = RegisterName::vector(decoded.vvvv & 15).bit();
  return all;
}

using Effects = std::optional<TouchedRegisters>;

/// Moves and arithmetic of 4 or 8 bytes.
Effects exact_one_byte(const Decoded& decoded, std::span<const u8> bytes) {
  const u8 opcode = decoded.opcode;
  const u32 in_opcode = (opcode & 7u) | ((decoded.rex & 1) != 0 ? 8u : 0u);
  if (between(opcode, 0x58, 0x5f)) return {{0, u64{1} << in_opcode}};
  if (between(opcode, 0xb8, 0xbf)) return {{0, u64{1} << in_opcode}};
  if (opcode == 0xa9) return {{1, kFlags}};
  const bool is_byte = (opcode & 1) == 0;
  if (!decoded.has_modrm || is_byte) return std::nullopt;
  const Operands all = operands_of(decoded, bytes);
  const u8 operation = decoded.modrm_reg();
  if (opcode < 0x40) {
    const bool carries = between(opcode, 0x10, 0x1f);
    const bool zeroes = (opcode & 0xfd) == 0x31 || (opcode & 0xfd) == 0x29;
    if ((opcode & 7) >= 4 || carries) return std::nullopt;
    if (zeroes && all.same) return {{0, all.reg | kFlags}};
    return {{all.reg | all.rm, kFlags}};
  }
  switch (opcode) {
    case 0x63:
    case 0x8b:
    case 0x8d:
      return {{all.rm, all.reg}};
    case 0x89:
      return all.is_memory ? TouchedRegisters{all.reg | all.rm, 0} : TouchedRegisters{all.reg, all.rm};
    case 0xc7:
      if (operation != 0) return std::nullopt;
      return all.is_memory ? TouchedRegisters{all.rm, 0} : TouchedRegisters{0, all.rm};
    case 0x81:
    case 0x83:
      if (operation == 2 || operation == 3) return std::nullopt;
      return {{all.rm, kFlags}};
    case 0x85:
      return {{all.reg | all.rm, kFlags}};
    case 0xf7:
      if (operation > 1 && operation != 3) return std::nullopt;
      return {{all.rm, kFlags}};
    default:
      return std::nullopt;
  }
}

/// Of the map behind 0f, without VEX: what a vector register has above 128 bits is left as it is.
Effects exact_two_bytes(const Decoded& decoded, std::span<const u8> bytes) {
  const Operands all = operands_of(decoded, bytes);
  const bool plain = !decoded.has_66 && !decoded.has_f2 && !decoded.has_f3;
  const bool only_66 = decoded.has_66 && !decoded.has_f2 && !decoded.has_f3;
  const bool whole = plain || only_66;
  const TouchedRegisters moved{all.vector_rm | kUpperVectorsBit, all.vector_reg};
  switch (decoded.opcode) {
    case 0xb7:
    case 0xbf:
      return decoded.has_66 ? Effects{} : TouchedRegisters{all.rm, all.reg};
    case 0xb6:
    case 0xbe:
      if (decoded.has_66) return std::nullopt;
      return {
          {all.is_memory ? all.rm : named(decoded.modrm_rm() | ((decoded.rex & 1) != 0 ? 8u : 0u), decoded),
           all.reg}};
    case 0xaf:
      return decoded.has_66 ? Effects{} : TouchedRegisters{all.reg | all.rm, kFlags};
    case 0x10:
      return whole || all.is_memory ? Effects{moved} : std::nullopt;
    case 0x28:
      return moved;
    case 0x6f:
      return plain ? Effects{} : moved;
    case 0x7e:
      if (decoded.has_f3) return moved;
      if (!only_66) return std::nullopt;
      return all.is_memory ? TouchedRegisters{all.rm | all.vector_reg, 0}
                           : TouchedRegisters{all.vector_reg, all.rm};
    case 0x6e:
      return only_66 ? Effects{{all.rm | kUpperVectorsBit, all.vector_reg}} : std::nullopt;
    case 0x57:
    case 0xef:
      if (!all.same || (decoded.opcode == 0xef && !only_66)) return std::nullopt;
      return {{kUpperVectorsBit, all.vector_reg}};
    case 0x50:
    case 0xd7:
      return plain && decoded.opcode == 0xd7 ? Effects{} : TouchedRegisters{all.vector_rm, all.reg};
    case 0x2e:
    case 0x2f:
      return {{all.vector_reg | all.vector_rm, kFlags}};
    default:
      return std::nullopt;
  }
}

/// Of the map behind 0f, and 0f38, with VEX: whole vector registers are written.
Effects exact_vex(const Decoded& decoded, std::span<const u8> bytes) {
  const u8 opcode = decoded.opcode;
  const Operands all = operands_of(decoded, bytes);
  const x86::VectorFields fields = x86::vector_fields(decoded, bytes);
  constexpr u8 kNone = 0, k66 = 1, kF3 = 2;
  const TouchedRegisters computed{all.vector_rm | all.vector_third, all.vector_reg};
  if (decoded.map == 2) {
    const bool two_or_three = opcode <= 0x0b || opcode == 0x16 || between(opcode, 0x18, 0x1a) ||
                              between(opcode, 0x1c, 0x25) || between(opcode, 0x28, 0x2b) ||
                              between(opcode, 0x30, 0x41) || between(opcode, 0x45, 0x47) ||
                              between(opcode, 0x58, 0x5a) || opcode == 0x78 || opcode == 0x79;
    return two_or_three ? Effects{computed} : std::nullopt;
  }
  switch (opcode) {
    case 0x77:
      return fields.length == 0 ? Effects{{kUpperVectorsBit, 0}} : std::nullopt;
    case 0x50:
    case 0xd7:
      return {{all.vector_rm, all.reg}};
    case 0x2e:
    case 0x2f:
      return {{all.vector_reg | all.vector_rm, kFlags}};
    case 0x6e:
      return {{all.rm, all.vector_reg}};
    case 0x7e:
      if (fields.prefix == kF3) return computed;
      if (fields.prefix != k66) return std::nullopt;
      return all.is_memory ? TouchedRegisters{all.rm | all.vector_reg, 0}
                           : TouchedRegisters{all.vector_reg, all.rm};
    case 0x11:
    case 0x13:
    case 0x17:
    case 0x29:
    case 0x71:
    case 0x72:
    case 0x73:
    case 0x7f:
    case 0xd6:
    case 0xe7:
      return std::nullopt;
    case 0x10:
    case 0x12:
    case 0x16:
      return fields.prefix == kNone || fields.prefix == k66 || all.is_memory ? Effects{computed}
                                                                             : std::nullopt;
    default:
      return is_of_vectors(decoded) ? Effects{computed} : std::nullopt;
  }
}

Effects exact(const Decoded& decoded, std::span<const u8> bytes) {
  const bool legacy = decoded.encoding == Encoding::legacy;
  if (legacy && decoded.map == 0) return decoded.has_66 ? Effects{} : exact_one_byte(decoded, bytes);
  if (legacy && decoded.map == 1) return exact_two_bytes(decoded, bytes);
  const bool vex = decoded.encoding == Encoding::vex && (decoded.map == 1 || decoded.map == 2);
  return vex ? exact_vex(decoded, bytes) : std::nullopt;
}

}  // namespace

TouchedRegisters touched_registers(const Decoded& decoded, std::span<const u8> bytes) {
  switch (decoded.category) {
    case Category::copy:
      if (const Effects known = exact(decoded, bytes)) return *known;
      return {of_copied(decoded, bytes), 0};
    case Category::jump_if:
      return {kFlags, 0};
    case Category::jump:
    case Category::call:
    case Category::ret:
      return {};
    case Category::jump_indirect:
    case Category::call_indirect:
      return {operands_of(decoded, bytes).rm, 0};
    default:
      return {~u64{0}, 0};
  }
}

}  // namespace orrery::translate
