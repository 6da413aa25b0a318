// Sets of system calls, as Watchers name those that they want to be shown.
#pragma once

#include <span>

#include "lens/lens.h"

namespace orrery::lens {

inline CallSet set_of(std::span<const u64> numbers) {
  CallSet set;
  for (const u64 number : numbers) set.set(number);
  return set;
}

}  // namespace orrery::lens
