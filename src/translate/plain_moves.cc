#include "translate/plain_moves.h"

#include <bit>
#include <cstring>

namespace orrery::translate {

using x86::AddressForm;
using x86::Decoded;
using x86::Encoding;
using Kind = PlainMove::Kind;

namespace {

constexpr u64 kXmmBytes = 16;

/// mov r, r/m and mov r/m, r, of 4 and 8 bytes.
void of_general(const Decoded& decoded, PlainMove& move) {
  const bool wide = (decoded.rex & 8) != 0;
  if (decoded.has_66 && !wide) return;
  move.size_bytes = wide ? 8 : 4;
  if (decoded.opcode == 0x8b) move.kind = Kind::load;
  if (decoded.opcode == 0x89) move.kind = Kind::store;
}

/// movups, movaps, movupd, movapd, movdqu and movdqa, and movq to and from xmm; with VEX too.
void of_vectors(const Decoded& decoded, std::span<const u8> bytes, PlainMove& move) {
  const bool vex = decoded.encoding == Encoding::vex;
  const x86::VectorFields fields = x86::vector_fields(decoded, bytes);
  constexpr u8 k66 = 1, kF3 = 2, kF2 = 3;  // as VEX.pp (SDM vol. 2, 2.3.6.2)
  const u8 prefix = vex              ? fields.prefix
                    : decoded.has_f2 ? kF2
                    : decoded.has_f3 ? kF3
                    : decoded.has_66 ? k66
                                     : u8{0};
  const bool floats = prefix == 0 || prefix == k66, integers = prefix == k66 || prefix == kF3;
  move.size_bytes = vex && fields.length == 1 ? 2 * kXmmBytes : kXmmBytes;
  move.keeps_upper = !vex;
  switch (decoded.opcode) {
    case 0x10:
    case 0x28:
      if (floats) move.kind = Kind::load_vector;
      return;
    case 0x11:
    case 0x29:
      if (floats) move.kind = Kind::store_vector;
      return;
    case 0x6f:
      if (integers) move.kind = Kind::load_vector;
      return;
    case 0x7f:
      if (integers) move.kind = Kind::store_vector;
      return;
    case 0x7e:
    case 0xd6:
      if (prefix != (decoded.opcode == 0x7e ? kF3 : k66)) return;
      move.kind = decoded.opcode == 0x7e ? Kind::load_vector : Kind::store_vector;
      move.size_bytes = 8;
      return;
    default:
      return;
  }
}

}  // namespace

PlainMove plain_move(const Decoded& decoded, std::span<const u8> bytes) {
  PlainMove move;
  const bool in_memory = decoded.has_modrm && decoded.modrm_mod() != 3;
  const bool simple = decoded.segment == 0 && !decoded.has_67 && !decoded.has_lock && !decoded.rip_relative;
  if (decoded.category != x86::Category::copy || !in_memory || !simple) return move;
  if (decoded.encoding == Encoding::evex) return move;
  move.reg = static_cast<u8>(decoded.modrm_reg() | (decoded.reg_high & 8));
  move.form = x86::address_form(decoded, bytes);
  if (decoded.encoding == Encoding::legacy && decoded.map == 0) of_general(decoded, move);
  if (decoded.map == 1) of_vectors(decoded, bytes, move);
  return move;
}

std::vector<PlainMove> moves_together(std::span<const u8> code) {
  std::vector<PlainMove> moves;
  u32 written = 0;
  const auto is_written = [&](u8 reg) { return reg != AddressForm::kNone && (written >> reg & 1) != 0; };
  for (u64 at = 0; moves.size() < OverwrittenBits::kMost;) {
    const std::span<const u8> bytes = code.subspan(at);
    const Decoded decoded = x86::decode(bytes);
    if (decoded.length == 0) break;
    PlainMove move = plain_move(decoded, bytes);
    if (move.kind == Kind::none || is_written(move.form.base) || is_written(move.form.index)) break;
    if (move.kind == Kind::load) written |= 1u << move.reg;
    move.guest_offset = static_cast<u8>(at);
    moves.push_back(move);
    at += decoded.length;
  }
  return moves;
}

u64 address_of(const PlainMove& move, const cpu::Registers& regs) {
  const AddressForm& form = move.form;
  u64 address = static_cast<u64>(form.displacement);
  if (form.base != AddressForm::kNone) address += regs.gpr[form.base];
  if (form.index != AddressForm::kNone) address += regs.gpr[form.index] << form.shift;
  return address;
}

namespace {

void load_vector(const PlainMove& move, u64 address, UndefinedBits& bits, const DefinedShadow& memory) {
  const RegisterName name = RegisterName::vector(move.reg);
  u64 loaded[kVectorWords] = {};
  memory.load(address, reinterpret_cast<u8*>(loaded), move.size_bytes);
  u64 origin = bits.origin(name);
  for (u64 i = kVectorWords; i-- > 0;)
    if (loaded[i] != 0) origin = address + i * 8 + static_cast<u64>(std::countr_zero(loaded[i])) / 8;
  u64 any = 0;
  if (move.keeps_upper)
    for (u64 i = kXmmBytes / 8; i < kVectorWords; ++i) loaded[i] = bits.vector(move.reg)[i];
  for (const u64 word : loaded) any |= word;
  if (any != 0 || bits.has(name)) bits.set_vector(move.reg, loaded, origin);
}

}  // namespace

bool step_plain_move(const PlainMove& move, const cpu::Registers& regs, UndefinedBits& bits,
                     DefinedShadow& memory) {
  const auto defined = [&](u8 reg) { return reg == AddressForm::kNone || !bits.has(RegisterName::gpr(reg)); };
  if (!defined(move.form.base) || !defined(move.form.index)) return false;
  const u64 address = address_of(move, regs);
  u64 word = 0;
  switch (move.kind) {
    case Kind::none:
      return false;
    case Kind::load:
      memory.load(address, reinterpret_cast<u8*>(&word), move.size_bytes);
      bits.set_gpr(move.reg, word,
                   word != 0 ? address + static_cast<u64>(std::countr_zero(word)) / 8
                             : bits.origin(RegisterName::gpr(move.reg)));
      return true;
    case Kind::store:
      word = bits.gpr(move.reg);
      memory.store(address, reinterpret_cast<const u8*>(&word), move.size_bytes);
      return true;
    case Kind::load_vector:
      load_vector(move, address, bits, memory);
      return true;
    case Kind::store_vector:
      memory.store(address, reinterpret_cast<const u8*>(bits.vector(move.reg)), move.size_bytes);
      return true;
  }
  return false;
}

void OverwrittenBits::keep(const PlainMove& move, const cpu::Registers& regs, const UndefinedBits& bits,
                           const DefinedShadow& memory) {
  Kept& kept = kept_[count_++];
  kept.move = move;
  kept.address = address_of(move, regs);
  if (move.kind == Kind::load) {
    kept.words[0] = bits.gpr(move.reg);
    kept.floor = static_cast<u8>(bits.floor(move.reg));
    kept.origin = bits.origin(RegisterName::gpr(move.reg));
  } else if (move.kind == Kind::load_vector) {
    std::memcpy(kept.words, bits.vector(move.reg), sizeof kept.words);
    kept.origin = bits.origin(RegisterName::vector(move.reg));
  } else {
    memory.load(kept.address, reinterpret_cast<u8*>(kept.words), move.size_bytes);
  }
}

void OverwrittenBits::give_back_from(u64 guest_offset, UndefinedBits& bits, DefinedShadow& memory) {
  for (; count_ != 0 && kept_[count_ - 1].move.guest_offset >= guest_offset; --count_) {
    const Kept& kept = kept_[count_ - 1];
    const PlainMove& move = kept.move;
    if (move.kind == Kind::load) {
      bits.set_gpr(move.reg, kept.words[0], kept.origin);
      bits.set_floor(move.reg, kept.floor);
    } else if (move.kind == Kind::load_vector) {
      bits.set_vector(move.reg, kept.words, kept.origin);
    } else {
      memory.store(kept.address, reinterpret_cast<const u8*>(kept.words), move.size_bytes);
    }
  }
}

}  // namespace orrery::translate
