// Which bits of memory are undefined: a byte of shadow for each byte at kShadowOffset (heap_watch.h), 0 where
// all eight bits are defined, as they are where nothing was ever written; kUndefinedByte where none is, and
// kPartlyByte where a table says which. Emitted code tests for zero, and writes the first two.
#pragma once

#include "base/hash_map.h"
#include "base/types.h"
#include "memory/layout.h"

namespace orrery::translate {

/// Words of these lead from kZeroWord to where nothing is mapped.
inline constexpr u8 kUndefinedByte = 0x40, kPartlyByte = 0x41;

class DefinedShadow {
 public:
  void clear() { partly_.clear(); }

  /// Whether any bit is undefined; where the first such byte is.
  bool any_undefined(u64 address, u64 size_bytes, u64* first = nullptr) const;
  /// The undefined bits of each byte.
  void load(u64 address, u8* bits, u64 size_bytes) const;
  void store(u64 address, const u8* bits, u64 size_bytes);
  void fill(u64 address, u64 size_bytes, bool undefined);
  void copy(u64 to, u64 from, u64 size_bytes);

 private:
  HashMap<u8> partly_;  ///< by address
};

}  // namespace orrery::translate
