// Which general registers an instruction may change, for code that remembers what they hold.
#pragma once

#include <span>

#include "base/types.h"
#include "x86/decode.h"

namespace orrery::x86 {

struct RegisterEffects {
  static constexpr u8 kNone = 0xff;
  u16 written = 0;      ///< bit n: register n may be written. Too many rather than too few.
  u8 added_to = kNone;  ///< a register, not among those, that `added` is added to, all 64 bits of it
  i64 added = 0;
};

/// Of an instruction that is copied. `bytes` are those it was decoded from.
RegisterEffects register_effects(const Decoded& decoded, std::span<const u8> bytes);

}  // namespace orrery::x86
