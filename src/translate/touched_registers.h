// Which registers an instruction may read or write, as far as undefined values go.
#pragma once

#include <span>

#include "base/types.h"
#include "translate/undefined_bits.h"
#include "x86/decode.h"

namespace orrery::translate {

/// RegisterName::bit() of each, and kUpperVectorsBit.
struct TouchedRegisters {
  /// What it reads, or writes in part: too many rather than too few; all of them of what the engine executes,
  /// system calls among it.
  u64 names = 0;
  /// What is defined behind it, whatever it was, if nothing of `names` is undefined, nor memory it reads.
  u64 defined = 0;
};
TouchedRegisters touched_registers(const x86::Decoded& decoded, std::span<const u8> bytes);

/// Of undefined registers, those that are not defined by then.
constexpr u64 without(u64 tainted, u64 defined) {
  const u64 rest = tainted & ~defined;
  return rest == kUpperVectorsBit ? 0 : rest;
}

}  // namespace orrery::translate
