// Lanes of vectors, for the rules of definedness.
#pragma once

#include <algorithm>
#include <cstring>

#include "translate/definedness.h"

namespace orrery::translate {

enum Prefix : u8 { kNone = 0, k66 = 1, kF3 = 2, kF2 = 3 };

constexpr u64 kXmmOffset = 160, kYmmOffset = 576, kXmmBytes = 16;  // SDM vol. 1, 13.4 and 13.5.6

inline bool any_of(const u64* words, u64 size) {
  const u8* const bytes = reinterpret_cast<const u8*>(words);
  return std::any_of(bytes, bytes + size, [](u8 byte) { return byte != 0; });
}

inline u64 lane(const u64* words, u64 bytes, u64 index) {
  u64 result = 0;
  std::memcpy(&result, reinterpret_cast<const u8*>(words) + index * bytes, bytes);
  return result;
}
inline void set_lane(u64* words, u64 bytes, u64 index, u64 value) {
  std::memcpy(reinterpret_cast<u8*>(words) + index * bytes, &value, bytes);
}

constexpr u64 lane_mask(u64 bytes) { return bytes >= 8 ? ~u64{0} : (u64{1} << bytes * 8) - 1; }

inline i64 signed_lane(u64 value, u64 bytes) {
  const u64 top = u64{1} << (bytes * 8 - 1);
  return static_cast<i64>((value ^ top) - top);
}

/// What an instruction is, and its operands.
struct Definedness::VectorShape {
  u8 map = 0, opcode = 0, prefix = 0;
  bool vex = false, wide = false;
  u64 size = kXmmBytes;            ///< of a whole register
  u32 reg = 0, first = 0, rm = 0;  ///< `first`: of VEX its own operand, else reg
  bool memory = false;
};

}  // namespace orrery::translate
