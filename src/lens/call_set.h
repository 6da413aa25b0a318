// Sets of system calls, as Watchers name those that they want to be shown, and as replays are asked for them.
#pragma once

#include <array>
#include <span>

#include "lens/lens.h"

namespace orrery::lens {

inline CallSet set_of(std::span<const u64> numbers) {
  CallSet set;
  for (const u64 number : numbers) set.set(number);
  return set;
}

/// The bits that ReplaySession::note_schedule() takes.
inline std::array<u64, machine::kStopCallWords> words_of(const CallSet& set) {
  std::array<u64, machine::kStopCallWords> words{};
  for (std::size_t number = 0; number < set.size(); ++number)
    words[number / 64] |= u64{set.test(number)} << (number % 64);
  return words;
}

}  // namespace orrery::lens
