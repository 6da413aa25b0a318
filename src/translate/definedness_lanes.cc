// Rules for vectors whose lanes are computed each by itself: logic and comparisons for equality are exact;
// other arithmetic has lanes that are undefined as a whole.
#include "translate/definedness_lanes.h"

namespace orrery::translate {

namespace {

/// What the lanes of an instruction of two operands make of undefined bits.
enum class Lanes : u8 {
  none,
  sum,      ///< undefined from the lowest undefined bit up
  whole,    ///< all of a lane if any of it
  equal,    ///< defined if a defined bit differs
  greater,  ///< defined if no signed values of the undefined bits change it
  least_u,  ///< unsigned minimum: defined where one is a defined zero
  bit_and,
  bit_and_not,
  bit_or,
  bit_xor,
};
struct LaneRule {
  Lanes rule = Lanes::none;
  u8 bytes = 0;
};

/// Of map 0f with prefix 66: integers.
LaneRule integer_lanes(u8 opcode) {
  switch (opcode) {
    case 0x64:
      return {Lanes::greater, 1};
    case 0x65:
      return {Lanes::greater, 2};
    case 0x66:
      return {Lanes::greater, 4};
    case 0x74:
      return {Lanes::equal, 1};
    case 0x75:
      return {Lanes::equal, 2};
    case 0x76:
      return {Lanes::equal, 4};
    case 0xd4:
    case 0xfb:
      return {Lanes::sum, 8};
    case 0xfe:
    case 0xfa:
      return {Lanes::sum, 4};
    case 0xfd:
    case 0xf9:
      return {Lanes::sum, 2};
    case 0xfc:
    case 0xf8:
      return {Lanes::sum, 1};
    case 0xd5:
      return {Lanes::sum, 2};  // pmullw: low halves
    case 0xd8:
    case 0xdc:
    case 0xde:
    case 0xe0:
    case 0xe8:
    case 0xec:
      return {Lanes::whole, 1};
    case 0xda:
      return {Lanes::least_u, 1};
    case 0xd9:
    case 0xdd:
    case 0xe3:
    case 0xe4:
    case 0xe5:
    case 0xe9:
    case 0xea:
    case 0xed:
    case 0xee:
      return {Lanes::whole, 2};
    case 0xf5:
      return {Lanes::whole, 4};
    case 0xf4:
    case 0xf6:
      return {Lanes::whole, 8};
    case 0xdb:
      return {Lanes::bit_and, 8};
    case 0xdf:
      return {Lanes::bit_and_not, 8};
    case 0xeb:
      return {Lanes::bit_or, 8};
    case 0xef:
      return {Lanes::bit_xor, 8};
    default:
      return {};
  }
}

/// Of map 0f38 with prefix 66.
LaneRule further_lanes(u8 opcode) {
  switch (opcode) {
    case 0x08:
      return {Lanes::whole, 1};
    case 0x09:
    case 0x0b:
      return {Lanes::whole, 2};
    case 0x0a:
      return {Lanes::whole, 4};
    case 0x04:
      return {Lanes::whole, 2};
    case 0x28:
      return {Lanes::whole, 8};
    case 0x29:
      return {Lanes::equal, 8};
    case 0x37:
      return {Lanes::greater, 8};
    case 0x38:
    case 0x3c:
      return {Lanes::whole, 1};
    case 0x3a:
      return {Lanes::least_u, 2};
    case 0x3b:
      return {Lanes::least_u, 4};
    case 0x3e:
      return {Lanes::whole, 2};
    case 0x39:
    case 0x3d:
    case 0x3f:
      return {Lanes::whole, 4};
    case 0x40:
      return {Lanes::sum, 4};
    default:
      return {};
  }
}

/// Of map 0f without 66, F3 and F2 or with 66: floating point.
LaneRule floating_lanes(u8 opcode, u8 prefix) {
  const u8 bytes = prefix == k66 || prefix == kF2 ? 8 : 4;
  switch (opcode) {
    case 0x54:
      return {Lanes::bit_and, 8};
    case 0x55:
      return {Lanes::bit_and_not, 8};
    case 0x56:
      return {Lanes::bit_or, 8};
    case 0x57:
      return {Lanes::bit_xor, 8};
    case 0x58:
    case 0x59:
    case 0x5c:
    case 0x5d:
    case 0x5e:
    case 0x5f:
    case 0xc2:
      return {Lanes::whole, bytes};
    default:
      return {};
  }
}

u64 apply(LaneRule rule, u64 a, u64 ua, u64 b, u64 ub) {
  const u64 all = lane_mask(rule.bytes);
  switch (rule.rule) {
    case Lanes::bit_and:
      return (ua & ub) | (ua & b) | (ub & a);
    case Lanes::bit_and_not:
      return (ua & ub) | (ua & b) | (ub & ~a);
    case Lanes::bit_or:
      return (ua & ub) | (ua & ~b) | (ub & ~a);
    case Lanes::bit_xor:
      return ua | ub;
    case Lanes::sum: {
      const u64 any = ua | ub;
      return (any | (u64{0} - any)) & all;
    }
    case Lanes::equal:
      if (((a ^ b) & ~(ua | ub) & all) != 0) return 0;
      break;
    case Lanes::least_u:
      if ((a == 0 && ua == 0) || (b == 0 && ub == 0)) return 0;
      break;
    case Lanes::greater: {
      const u64 top = u64{1} << (rule.bytes * 8 - 1);
      const auto least = [&](u64 value, u64 undefined) {
        return signed_lane((value & ~undefined) | (undefined & top), rule.bytes);
      };
      const auto most = [&](u64 value, u64 undefined) {
        return signed_lane((value | undefined) & ~(undefined & top), rule.bytes);
      };
      if (least(a, ua) > most(b, ub) || most(a, ua) <= least(b, ub)) return 0;
      break;
    }
    default:
      break;
  }
  return (ua | ub) != 0 ? all : 0;
}

}  // namespace

/// Whether the result of two operands that are the same does not depend on them.
bool Definedness::is_same_whatever(const VectorShape& s) {
  if (s.map == 1 && (s.opcode == 0x57 || s.opcode == 0x55)) return s.prefix == kNone || s.prefix == k66;
  if (s.prefix != k66 || s.map > 2) return false;
  const Lanes rule = (s.map == 1 ? integer_lanes(s.opcode) : further_lanes(s.opcode)).rule;
  const bool subtracts = s.map == 1 && s.opcode >= 0xf8 && s.opcode < 0xfc;
  return rule == Lanes::bit_xor || rule == Lanes::bit_and_not || rule == Lanes::equal ||
         rule == Lanes::greater || (rule == Lanes::sum && subtracts);
}

/// Of ptest: whether all bits of the conjunction are zero.
u64 Definedness::test_undefined(const Vector& first, const Vector& second, u64 size) {
  bool zero_known = false, carry_known = false, zero_may = false, carry_may = false;
  for (u64 i = 0; i < size / 8; ++i) {
    const u64 a = first.value[i], ua = first.undefined[i], b = second.value[i], ub = second.undefined[i];
    const u64 both = apply({Lanes::bit_and, 8}, a, ua, b, ub),
              other = apply({Lanes::bit_and_not, 8}, a, ua, b, ub);
    zero_known = zero_known || (a & b & ~both) != 0, carry_known = carry_known || (~a & b & ~other) != 0;
    zero_may = zero_may || both != 0, carry_may = carry_may || other != 0;
  }
  using F = FlagBits;
  return (zero_may && !zero_known ? F::kZero : 0) | (carry_may && !carry_known ? F::kCarry : 0);
}

/// By an immediate, or by a count that all lanes have in common.
bool Definedness::vector_shift(const VectorShape& s, Vector& result) {
  if (s.map != 1 || s.prefix != k66) return false;
  const bool by_immediate = s.opcode >= 0x71 && s.opcode <= 0x73;
  const u8 low = s.opcode & 0x0f;
  const bool by_register = (s.opcode & 0xf0) >= 0xd0 && low >= 1 && low <= 3 && s.opcode != 0xe3;
  if (!by_immediate && !by_register) return false;
  const u8 which = by_immediate ? s.opcode - 0x70 : low;
  const u64 bytes = which == 1 ? 2 : which == 2 ? 4 : 8;
  const u32 operation = by_immediate                ? decoded_->modrm_reg()
                        : (s.opcode & 0xf0) == 0xd0 ? 2
                        : (s.opcode & 0xf0) == 0xe0 ? 4
                                                    : 6;
  Vector from, count;
  u64 n = static_cast<u64>(decoded_->immediate) & 0xff;
  read_vector(by_immediate ? s.rm : s.first, false, from);
  const u64 from_origin = origin_;
  if (by_register) {
    read_vector_rm(kXmmBytes, true, count);
    n = count.value[0];
    if (count.undefined[0] != 0) return std::memset(result.undefined, 0xff, s.size), true;
    origin_ = from_origin;
  }
  if (by_immediate && s.opcode == 0x73 && (operation == 3 || operation == 7)) {  // psrldq, pslldq
    const u64 moved = std::min(n, kXmmBytes);
    for (u64 half = 0; half < s.size; half += kXmmBytes) {
      const u8* const source = reinterpret_cast<const u8*>(from.undefined) + half;
      u8* const target = reinterpret_cast<u8*>(result.undefined) + half;
      if (operation == 3)
        std::memcpy(target, source + moved, kXmmBytes - moved);
      else
        std::memcpy(target + moved, source, kXmmBytes - moved);
    }
    return true;
  }
  for (u64 i = 0; i < s.size / bytes; ++i) {
    const u64 bits = lane(from.undefined, bytes, i), width = bytes * 8;
    u64 moved = 0;
    if (operation == 4)
      moved = static_cast<u64>(signed_lane(bits, bytes) >> std::min(n, width - 1));
    else if (n < width)
      moved = operation == 2 ? bits >> n : bits << n;
    set_lane(result.undefined, bytes, i, moved);
  }
  return true;
}

bool Definedness::vector_lanes(const VectorShape& s, Vector& result) {
  Vector first, second;
  LaneRule rule;
  bool scalar = false;
  if (s.map == 1) {
    rule = floating_lanes(s.opcode, s.prefix);
    scalar = rule.rule == Lanes::whole && (s.prefix == kF3 || s.prefix == kF2);
    if (rule.rule == Lanes::none && s.prefix == k66) rule = integer_lanes(s.opcode);
  } else if (s.map == 2 && s.prefix == k66) {
    rule = further_lanes(s.opcode);
    const u8 low = s.opcode & 0x0f;
    const bool fused = s.vex && s.opcode >= 0x96 && s.opcode < 0xc0 && low >= 6;
    if (fused) {
      rule = {Lanes::whole, static_cast<u8>(s.wide ? 8 : 4)};
      scalar = low >= 9 && (low & 1) != 0;
    }
    if (fused) {
      read_vector(s.reg, false, result);
    }
  }
  if (rule.rule == Lanes::none) {
    // sqrt, rsqrt and rcp, and conversions that keep the lanes: of one operand.
    const bool one = s.map == 1 && ((s.opcode >= 0x51 && s.opcode <= 0x53) || s.opcode == 0x5b);
    if (!one) return false;
    rule = {Lanes::whole, static_cast<u8>((s.prefix == k66 || s.prefix == kF2) && s.opcode != 0x5b ? 8 : 4)};
    scalar = s.opcode != 0x5b && (s.prefix == kF3 || s.prefix == kF2);
    read_vector_rm(scalar ? rule.bytes : s.size, false, second);
    if (scalar) read_vector(s.first, false, result);
    for (u64 i = 0; i < (scalar ? 1 : s.size / rule.bytes); ++i)
      set_lane(result.undefined, rule.bytes, i, lane(second.undefined, rule.bytes, i) != 0 ? ~u64{0} : 0);
    return true;
  }
  const bool needs = rule.rule != Lanes::whole && rule.rule != Lanes::sum && rule.rule != Lanes::bit_xor;
  read_vector(s.first, needs, first);
  const u64 first_origin = origin_;
  read_vector_rm(scalar ? rule.bytes : s.size, needs, second);
  if (origin_ == 0) origin_ = first_origin;
  const Vector third = result;
  if (scalar) result = s.map == 2 ? third : first;
  for (u64 i = 0; i < (scalar ? 1 : s.size / rule.bytes); ++i) {
    u64 bits = apply(rule, lane(first.value, rule.bytes, i), lane(first.undefined, rule.bytes, i),
                     lane(second.value, rule.bytes, i), lane(second.undefined, rule.bytes, i));
    if (s.map == 2 && lane(third.undefined, rule.bytes, i) != 0) bits = lane_mask(rule.bytes);
    set_lane(result.undefined, rule.bytes, i, bits);
  }
  return true;
}

}  // namespace orrery::translate
