// Arithmetic on words of which bits are undefined, for the rules of definedness.
#pragma once

#include <bit>

#include "translate/definedness.h"

namespace orrery::translate {

using F = FlagBits;
using Wide = __int128;

constexpr u64 mask_of(u64 size) { return size >= 8 ? ~u64{0} : (u64{1} << size * 8) - 1; }
constexpr u64 top_of(u64 size) { return u64{1} << (size * 8 - 1); }
constexpr u32 number(cpu::Gpr reg) { return static_cast<u32>(reg); }
constexpr u64 all_if(bool undefined, u64 size) { return undefined ? mask_of(size) : 0; }

/// From the lowest set bit up.
constexpr u64 upwards(u64 bits) { return bits | (u64{0} - bits); }

inline Wide as_signed(u64 value, u64 size) {
  const u64 top = top_of(size);
  return static_cast<i64>((value ^ top) - top);
}
/// The least and the greatest that a signed word may be.
inline Wide signed_least(const Word& word, u64 size) {
  const u64 top = word.undefined & top_of(size);
  return as_signed(word.least() | top, size);
}
inline Wide signed_most(const Word& word, u64 size) {
  const u64 top = word.undefined & top_of(size);
  return as_signed(word.most() & ~top, size);
}

/// Whether a signed result between these overflows; undefined if it may or may not.
inline bool overflow_undefined(Wide least, Wide most, u64 size) {
  const Wide end = Wide{1} << (size * 8 - 1);
  const auto side = [&](Wide value) { return value < -end ? -1 : value >= end ? 1 : 0; };
  return side(least) != side(most);
}

inline u64 sign_extended(u64 bits, u64 from) {
  return static_cast<u64>(static_cast<i64>(as_signed(bits & mask_of(from), from)));
}

/// The bits of `from` that `mask` has, together at the bottom (pext), and the other way (pdep).
inline u64 extract_bits(u64 from, u64 mask) {
  u64 result = 0, at = 0;
  for (; mask != 0; mask &= mask - 1, ++at) result |= (from >> std::countr_zero(mask) & 1) << at;
  return result;
}
inline u64 deposit_bits(u64 from, u64 mask) {
  u64 result = 0;
  for (; mask != 0; mask &= mask - 1, from >>= 1) result |= (from & 1) << std::countr_zero(mask);
  return result;
}

/// How many zeros lie below the lowest one, if that is certain; 64 if the word may be zero, or it is not
/// certain.
struct LowestOne {
  u32 position = 64;
  bool certain = false;   ///< which bit it is
  bool not_zero = false;  ///< some bit is certainly set
};
inline LowestOne lowest_one(const Word& word) {
  LowestOne found;
  const u64 ones = word.value & ~word.undefined;
  found.not_zero = ones != 0;
  if (ones == 0) {
    found.certain = word.undefined == 0;
    return found;
  }
  found.position = static_cast<u32>(std::countr_zero(ones));
  found.certain = (word.undefined & ((u64{1} << found.position) - 1)) == 0;
  return found;
}

}  // namespace orrery::translate
