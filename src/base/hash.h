// XXH64 (xxHash specification 0.1.1, Yann Collet), one-shot. Used where lean and hosted code must agree on a
// 64-bit fingerprint: request hashes in events, checksums of what the engine writes.
#pragma once

#include <cstring>
#include <span>

#include "base/types.h"

namespace orrery {

namespace xxh64_detail {

inline constexpr u64 kPrime1 = 0x9e37'79b1'85eb'ca87;
inline constexpr u64 kPrime2 = 0xc2b2'ae3d'27d4'eb4f;
inline constexpr u64 kPrime3 = 0x1656'67b1'9e37'79f9;
inline constexpr u64 kPrime4 = 0x85eb'ca77'c2b2'ae63;
inline constexpr u64 kPrime5 = 0x27d4'eb2f'1656'67c5;

constexpr u64 rotate(u64 value, int bits) { return (value << bits) | (value >> (64 - bits)); }
constexpr u64 round(u64 lane, u64 word) { return rotate(lane + word * kPrime2, 31) * kPrime1; }
constexpr u64 merge(u64 hash, u64 lane) { return (hash ^ round(0, lane)) * kPrime1 + kPrime4; }

template <class T>
T load(const u8* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace xxh64_detail

inline u64 xxh64(std::span<const u8> bytes, u64 seed = 0) {
  using namespace xxh64_detail;
  const u8* at = bytes.data();
  std::size_t left = bytes.size();
  u64 hash;
  if (left >= 32) {
    u64 lane1 = seed + kPrime1 + kPrime2, lane2 = seed + kPrime2, lane3 = seed, lane4 = seed - kPrime1;
    for (; left >= 32; at += 32, left -= 32) {
      lane1 = round(lane1, load<u64>(at));
      lane2 = round(lane2, load<u64>(at + 8));
      lane3 = round(lane3, load<u64>(at + 16));
      lane4 = round(lane4, load<u64>(at + 24));
    }
    hash = rotate(lane1, 1) + rotate(lane2, 7) + rotate(lane3, 12) + rotate(lane4, 18);
    hash = merge(merge(merge(merge(hash, lane1), lane2), lane3), lane4);
  } else {
    hash = seed + kPrime5;
  }
  hash += bytes.size();
  for (; left >= 8; at += 8, left -= 8) hash = rotate(hash ^ round(0, load<u64>(at)), 27) * kPrime1 + kPrime4;
  if (left >= 4) {
    hash = rotate(hash ^ (load<u32>(at) * kPrime1), 23) * kPrime2 + kPrime3;
    at += 4, left -= 4;
  }
  for (; left > 0; ++at, --left) hash = rotate(hash ^ (*at * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

}  // namespace orrery
