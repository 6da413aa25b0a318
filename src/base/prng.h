// The seeded generator behind everything that `--seed` decides: splitmix64 (Steele, Lea, Flood 2014,
// "Fast splittable pseudorandom number generators"). Eight bytes of state, no bad seeds, the same
// sequence everywhere.
#pragma once

#include <span>

#include "base/types.h"

namespace orrery {

class SplitMix64 {
 public:
  constexpr explicit SplitMix64(u64 seed) : state_(seed) {}

  constexpr u64 next() {
    state_ += 0x9e37'79b9'7f4a'7c15;
    u64 z = state_;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
  }

  /// A number below `limit` (> 0). The bias is below 2^-32 for limits that fit 32 bits.
  constexpr u64 below(u64 limit) {
    return static_cast<u64>((static_cast<unsigned __int128>(next()) * limit) >> 64);
  }

  void fill(std::span<u8> out) {
    u64 word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) word = next();
      out[i] = static_cast<u8>(word >> (i % 8 * 8));
    }
  }

 private:
  u64 state_;
};

}  // namespace orrery
