// An access point as those who look for races keep it.
#pragma once

#include "lens/races/access_shadow.h"
#include "translate/access_stream.h"

namespace orrery::lens::races {

/// Packed: a line of the processor's cache holds those of a block. Its own row comes first.
struct PointRow {
  enum class Kind : u8 {
    simple,    ///< `size_bytes` at the word's value and `address`
    repeated,  ///< the same, of what an earlier one of the block accesses as strongly
    odd,       ///< translate::access_at tells
    value,     ///< no access
  };
  static constexpr u8 kLibrary = 1, kLoader = 2, kStub = 4, kValues = 8;  ///< `how` of blocks

  u64 address = 0;    ///< of a block's own row, its pc
  u16 word = 0;       ///< 0 also if it has none; of a block, how many rows follow
  u16 offset = 0;     ///< of the instruction in its block
  u8 size_bytes = 0;  ///< of a simple one
  u8 how = 0;         ///< Slot's flags; of a block, what its code is
  Kind kind = Kind::simple;
  bool has_word = false;
  u8 mask = 0;  ///< a bit for each byte of a simple one of a word at most

  /// Whether an access of the other is no new one where this has just been done.
  bool covers(const PointRow& other) const {
    return kind <= Kind::repeated && has_word == other.has_word && word == other.word &&
           other.address - address <= size_bytes &&
           other.address - address + other.size_bytes <= size_bytes &&
           ((how & Slot::kWrites) != 0 || (other.how & Slot::kWrites) == 0);
  }
};

}  // namespace orrery::lens::races
