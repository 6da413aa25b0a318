// Rules for vector registers: moves and permutations move undefined bits as they do the others; logic and
// comparisons for equality are exact; other arithmetic has lanes that are undefined as a whole.
//
// MMX and EVEX have no rules of their own.
#include <algorithm>
#include <cstring>

#include "translate/definedness_lanes.h"

namespace orrery::translate {

using cpu::Gpr;
using x86::Encoding;

namespace {

using F = FlagBits;

}  // namespace

Definedness::VectorShape Definedness::shape() const {
  VectorShape shape{.map = decoded_->map, .opcode = decoded_->opcode};
  const x86::VectorFields fields = x86::vector_fields(*decoded_, bytes_);
  shape.vex = decoded_->encoding == Encoding::vex;
  shape.wide = fields.wide;
  shape.prefix = shape.vex          ? fields.prefix
                 : decoded_->has_f2 ? u8{kF2}
                 : decoded_->has_f3 ? u8{kF3}
                 : decoded_->has_66 ? u8{k66}
                                    : u8{kNone};
  shape.size = shape.vex && fields.length == 1 ? 2 * kXmmBytes : kXmmBytes;
  shape.reg = reg_register();
  shape.rm = rm_register();
  shape.first = shape.vex ? decoded_->vvvv & 15u : shape.reg;
  shape.memory = !is_register_form();
  return shape;
}

// --- operands ---

void Definedness::read_vector(u32 number, bool with_value, Vector& out) {
  std::memcpy(out.undefined, bits_.vector(number), sizeof out.undefined);
  if (bits_.has(RegisterName::vector(number))) taint_from(RegisterName::vector(number));
  if (!with_value) return;
  const cpu::VectorImage& image = memory_.vectors();
  std::memcpy(out.value, image.bytes + kXmmOffset + number * kXmmBytes, kXmmBytes);
  std::memcpy(out.value + 2, image.bytes + kYmmOffset + number * kXmmBytes, kXmmBytes);
}

void Definedness::read_vector_rm(u64 size, bool with_value, Vector& out) {
  if (is_register_form()) return read_vector(rm_register(), with_value, out);
  out = {};
  for (const x86::MemoryAccess& access : accesses_)
    if (access.addressing == x86::Addressing::operand) size = std::min<u64>(size, access.size_bytes);
  u8* const bytes = reinterpret_cast<u8*>(out.undefined);
  memory_.load(address_, bytes, size);
  if (with_value) memory_.values(address_, reinterpret_cast<u8*>(out.value), size);
  const u8* const found = std::find_if(bytes, bytes + size, [](u8 byte) { return byte != 0; });
  if (found != bytes + size) origin_ = address_ + static_cast<u64>(found - bytes);
}

/// `keeps_rest`: what lies above `size` stays, as it does without VEX up to the register's 16 bytes; else it
/// is zero, with VEX all of it.
void Definedness::write_vector(u32 number, const Vector& result, u64 size, bool keeps_rest) {
  const bool vex = decoded_->encoding == Encoding::vex;
  u64 bits[kVectorWords] = {};
  const u64* const before = bits_.vector(number);
  if (!vex) std::memcpy(bits, before, sizeof bits);
  if (!vex && !keeps_rest) std::memset(bits, 0, kXmmBytes);
  std::memcpy(bits, result.undefined, size);
  const bool any = any_of(bits, sizeof bits);
  const u64 origin = any_of(result.undefined, size) ? origin_ : bits_.origin(RegisterName::vector(number));
  if (any || bits_.has(RegisterName::vector(number))) bits_.set_vector(number, bits, origin);
}

void Definedness::write_vector_rm(const Vector& result, u64 size, bool keeps_rest) {
  if (is_register_form()) return write_vector(rm_register(), result, size, keeps_rest);
  memory_.store(address_, reinterpret_cast<const u8*>(result.undefined), size);
}

// --- instructions ---

/// False if it is none.
bool Definedness::vector_instruction() {
  const u8 map = decoded_->map;
  if (decoded_->encoding == Encoding::evex) return anything_vector(shape()), true;
  if (map < 1 || map > 3) return false;
  const VectorShape s = shape();
  // MMX, and what is no vector instruction.
  const bool integer = map == 1 &&
                       (s.opcode >= 0x60 || s.opcode == 0x2a || s.opcode == 0x2c || s.opcode == 0x2d) &&
                       s.opcode != 0xc2 && s.opcode != 0xc6;
  if (!s.vex && s.prefix == kNone && (integer || (map != 1 && s.opcode < 0xc0))) {
    const bool converts = map == 1 && s.opcode < 0x30;  // cvtpi2ps and its kin
    if (!converts) return false;
  }
  if (map == 1 && !s.vex &&
      (s.opcode < 0x10 || (s.opcode >= 0x18 && s.opcode < 0x28) || (s.opcode >= 0x30 && s.opcode < 0x50) ||
       (s.opcode >= 0x80 && s.opcode < 0xc2)))
    return false;
  if (map == 1 && s.vex && s.opcode == 0x77) {  // vzeroupper, vzeroall
    for (u32 number = 0; number < 16; ++number) {
      Vector kept;
      read_vector(number, false, kept);
      if (s.size != kXmmBytes) kept = {};
      write_vector(number, kept, kXmmBytes, false);
    }
    return true;
  }
  if (s.vex && map == 1 && ((s.opcode >= 0x41 && s.opcode < 0x50) || (s.opcode >= 0x90 && s.opcode < 0xa0)))
    return false;  // mask registers
  if (vector_move(s) || vector_to_flags_or_general(s)) return true;
  Vector result;
  if (vector_shift(s, result))
    return write_vector(s.opcode < 0x80 && s.vex ? s.first
                        : s.opcode < 0x80        ? s.rm
                                                 : s.reg,
                        result, s.size, true),
           true;
  const bool clears = !s.memory && s.first == s.rm && is_same_whatever(s);
  if (clears) return write_vector(s.reg, result, s.size, true), true;
  if (vector_lanes(s, result) || vector_permutation(s, result))
    return write_vector(s.reg, result, s.size, true), true;
  anything_vector(s);
  return true;
}

/// movlps, movhps and their kin; movddup, movsldup and movshdup.
bool Definedness::half_move(const VectorShape& s) {
  Vector from, to;
  const bool high = s.opcode == 0x16;
  if (s.prefix == kNone || s.prefix == k66) {
    // A half is replaced by memory, or by the other half of the operand.
    read_vector_rm(s.memory ? 8 : kXmmBytes, false, from);
    read_vector(s.first, false, to);
    to.undefined[high ? 1 : 0] = from.undefined[s.memory || high ? 0 : 1];
    return write_vector(s.reg, to, kXmmBytes, true), true;
  }
  read_vector_rm(s.prefix == kF2 && s.size == kXmmBytes ? 8 : s.size, false, from);
  for (u64 i = 0; i < s.size / 8; ++i) {
    const u64 word = high ? from.undefined[i] >> 32 : from.undefined[i] & 0xffff'ffff;
    to.undefined[i] = s.prefix == kF2 ? from.undefined[i & ~u64{1}] : word | word << 32;
  }
  return write_vector(s.reg, to, s.size, true), true;
}

/// Moves of whole registers and of parts of them. False if it is none.
bool Definedness::vector_move(const VectorShape& s) {
  Vector from, to;
  const auto load = [&](u64 size, bool keeps) {
    read_vector_rm(size, false, from);
    return write_vector(s.reg, from, size, keeps), true;
  };
  const auto store = [&](u64 size, bool keeps) {
    read_vector(s.reg, false, from);
    return write_vector_rm(from, size, keeps), true;
  };
  if (s.map == 2) return s.opcode == 0x2a && s.prefix == k66 ? load(s.size, true) : false;
  if (s.map != 1) return false;
  switch (s.opcode) {
    case 0x10:
    case 0x11: {
      if (s.prefix == kNone || s.prefix == k66)
        return s.opcode == 0x10 ? load(s.size, true) : store(s.size, true);
      const u64 size = s.prefix == kF3 ? 4 : 8;
      if (s.memory) return s.opcode == 0x10 ? load(size, false) : store(size, true);
      read_vector(s.opcode == 0x10 ? s.rm : s.reg, false, from);
      read_vector(s.vex ? s.first : s.opcode == 0x10 ? s.reg : s.rm, false, to);
      std::memcpy(to.undefined, from.undefined, size);
      return write_vector(s.opcode == 0x10 ? s.reg : s.rm, to, kXmmBytes, true), true;
    }
    case 0x12:
    case 0x16:
      return half_move(s);
    case 0x13:
      return store(8, true);
    case 0x17:
      read_vector(s.reg, false, from);
      from.undefined[0] = from.undefined[1];
      return write_vector_rm(from, 8, true), true;
    case 0x28:
      return load(s.size, true);
    case 0x29:
    case 0x2b:
      return store(s.size, true);
    case 0x6f:
      return load(s.size, true);
    case 0x7f:
    case 0xe7:
      return store(s.size, true);
    case 0xf0:
      return s.prefix == kF2 ? load(s.size, true) : false;
    case 0x6e: {
      const u64 size = s.wide ? 8 : 4;
      from.undefined[0] = rm(size).undefined;
      return write_vector(s.reg, from, size, false), true;
    }
    case 0x7e:
      if (s.prefix == kF3) return load(8, false);
      read_vector(s.reg, false, from);
      return set_rm(s.wide ? 8 : 4, from.undefined[0]), true;
    case 0xd6:
      return s.prefix == k66 ? store(8, false) : false;
    default:
      return false;
  }
}

/// Those whose result is in general registers or flags, or that take an operand from there.
bool Definedness::vector_to_flags_or_general(const VectorShape& s) {
  Vector first, second;
  if (s.map == 1 && (s.opcode == 0x2e || s.opcode == 0x2f) && (s.prefix == kNone || s.prefix == k66)) {
    const u64 size = s.prefix == k66 ? 8 : 4;
    read_vector(s.reg, false, first);
    read_vector_rm(size, false, second);
    const bool undefined = any_of(first.undefined, size) || any_of(second.undefined, size);
    return set_flags(F::kAll, undefined ? F::kZero | F::kParity | F::kCarry : 0), true;
  }
  if (s.map == 1 && (s.opcode == 0xd7 || s.opcode == 0x50)) {
    const u64 bytes = s.opcode == 0xd7 ? 1 : s.prefix == k66 ? 8 : 4;
    read_vector_rm(s.size, false, first);
    u64 result = 0;
    for (u64 i = 0; i < s.size / bytes; ++i)
      result |= (lane(first.undefined, bytes, i) >> (bytes * 8 - 1)) << i;
    return set_gpr(s.reg, 8, result), true;
  }
  if (s.map == 1 && (s.opcode == 0x2c || s.opcode == 0x2d) && (s.prefix == kF3 || s.prefix == kF2)) {
    const u64 size = s.prefix == kF2 ? 8 : 4, to = s.wide ? 8 : 4;
    read_vector_rm(size, false, first);
    return set_gpr(s.reg, to, any_of(first.undefined, size) ? ~u64{0} : 0), true;
  }
  if (s.map == 1 && s.opcode == 0x2a && (s.prefix == kF3 || s.prefix == kF2)) {
    read_vector(s.first, false, first);
    const u64 undefined = rm(s.wide ? 8 : 4).undefined;
    set_lane(first.undefined, s.prefix == kF2 ? 8 : 4, 0, undefined != 0 ? ~u64{0} : 0);
    return write_vector(s.reg, first, kXmmBytes, true), true;
  }
  if (s.map == 2 && s.vex && (s.opcode == 0x0e || s.opcode == 0x0f)) {  // vtestps, vtestpd
    read_vector(s.reg, false, first);
    read_vector_rm(s.size, false, second);
    const bool undefined = any_of(first.undefined, s.size) || any_of(second.undefined, s.size);
    return set_flags(F::kAll, undefined ? F::kZero | F::kCarry : 0), true;
  }
  if (s.map == 2 && s.opcode == 0x17 && s.prefix == k66) {  // ptest
    read_vector(s.reg, true, first);
    read_vector_rm(s.size, true, second);
    return set_flags(F::kAll, test_undefined(first, second, s.size)), true;
  }
  if (s.map == 1 && s.opcode == 0xc5) {  // pextrw
    read_vector(s.rm, false, first);
    return set_gpr(s.reg, 8, lane(first.undefined, 2, static_cast<u64>(decoded_->immediate) & 7)), true;
  }
  if (s.map == 1 && s.opcode == 0xc4) {
    read_vector(s.first, false, first);
    set_lane(first.undefined, 2, static_cast<u64>(decoded_->immediate) & 7, rm(2).undefined);
    return write_vector(s.reg, first, kXmmBytes, true), true;
  }
  if (s.map != 3 || s.prefix != k66) return false;
  const u64 index = static_cast<u64>(decoded_->immediate);
  if (s.opcode >= 0x14 && s.opcode <= 0x17) {  // pextrb, pextrw, pextrd/q, extractps
    const u64 size = s.opcode == 0x14 ? 1 : s.opcode == 0x15 ? 2 : s.opcode == 0x16 && s.wide ? 8 : 4;
    read_vector(s.reg, false, first);
    const u64 undefined = lane(first.undefined, size, index & (kXmmBytes / size - 1));
    s.memory ? set_memory(address_, size, undefined) : set_gpr(s.rm, 8, undefined);
    return true;
  }
  if (s.opcode == 0x20 || s.opcode == 0x22) {
    const u64 size = s.opcode == 0x20 ? 1 : s.wide ? 8 : 4;
    read_vector(s.first, false, first);
    const u64 undefined = s.memory ? memory_word(address_, size).undefined
                                   : gpr(s.rm, size == 1 ? 4 : size).undefined & lane_mask(size);
    set_lane(first.undefined, size, index & (kXmmBytes / size - 1), undefined);
    return write_vector(s.reg, first, kXmmBytes, true), true;
  }
  return s.opcode >= 0x60 && s.opcode <= 0x63 ? compare_strings(s) : false;
}

/// pcmpestrm, pcmpestri, pcmpistrm, pcmpistri. Of strings that end with a zero, what lies behind it does not
/// count.
bool Definedness::compare_strings(const VectorShape& s) {
  Vector first, second;
  const bool counted = s.opcode < 0x62;
  const u64 bytes = (decoded_->immediate & 1) != 0 ? 2 : 1;
  read_vector(s.reg, !counted, first);
  read_vector_rm(kXmmBytes, !counted, second);
  const auto undefined_in = [&](const Vector& of) {
    for (u64 i = 0; i < kXmmBytes / bytes; ++i) {
      if (lane(of.undefined, bytes, i) != 0) return true;
      if (!counted && lane(of.value, bytes, i) == 0) return false;
    }
    return false;
  };
  bool undefined = undefined_in(first) || undefined_in(second);
  if (counted) undefined = undefined || (gpr(0, 8).undefined | gpr(2, 8).undefined) != 0;
  Vector result;
  if (undefined) std::memset(result.undefined, 0xff, kXmmBytes);
  if ((s.opcode & 1) != 0)
    set_gpr(1, 8, undefined ? 0x1f : 0);
  else
    write_vector(0, result, kXmmBytes, true);
  return set_flags(F::kAll, undefined ? F::kAll : 0), true;
}

/// All of the result is undefined if anything of the operands is.
void Definedness::anything_vector(const VectorShape& s) {
  bool undefined = false;
  Vector each;
  const auto take = [&](u32 number) {
    if (!bits_.has(RegisterName::vector(number))) return;
    undefined = true;
    taint_from(RegisterName::vector(number));
  };
  const bool extracts = s.map == 3 && (s.opcode == 0x19 || s.opcode == 0x39);  // vextractf128, vextracti128
  if (extracts) {
    read_vector(s.reg, false, each);
    const u64 which = static_cast<u64>(decoded_->immediate) & 1;
    each.undefined[0] = each.undefined[2 * which], each.undefined[1] = each.undefined[2 * which + 1];
    return write_vector_rm(each, kXmmBytes, true);
  }
  if (!s.vex && s.map == 2) take(0);  // blendv and its kin, SHA
  if (s.vex && s.map == 3 && (s.opcode == 0x4a || s.opcode == 0x4b))
    take(static_cast<u32>(decoded_->immediate) >> 4 & 15);
  const bool stores = (s.map == 3 && s.opcode == 0x1d) ||
                      std::any_of(accesses_.begin(), accesses_.end(), [](const x86::MemoryAccess& access) {
                        return access.kind == x86::AccessKind::write;
                      });
  if (!s.vex || stores) take(s.reg);
  take(s.first);
  if (!s.memory) take(s.rm);
  u64 written = 0;
  for (const x86::MemoryAccess& access : accesses_) {
    if (access.addressing == x86::Addressing::chosen || access.size_bytes > sizeof each.undefined) continue;
    if (access.kind == x86::AccessKind::write) {
      written = access.size_bytes;
      continue;
    }
    read_vector_rm(access.size_bytes, false, each);
    undefined = undefined || any_of(each.undefined, access.size_bytes);
  }
  Vector result;
  if (undefined) std::memset(result.undefined, 0xff, sizeof result.undefined);
  const bool to_rm = s.map == 3 && s.opcode == 0x1d;  // vcvtps2ph
  if (to_rm && !s.memory) return write_vector(s.rm, result, kXmmBytes, true);
  if (written != 0) return memory_.store(address_, reinterpret_cast<const u8*>(result.undefined), written);
  write_vector(s.reg, result, s.size, true);
}

}  // namespace orrery::translate
