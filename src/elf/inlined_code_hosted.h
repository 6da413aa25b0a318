// Which code was inlined from which function, for those who ask about many addresses.
#pragma once

#include <map>

#include "base/types.h"

namespace orrery::elf {

/// Of one function, or of all of a compilation unit.
class InlinedCode {
 public:
  static constexpr u64 kNone = 0;  ///< no entry of DWARF lies there

  /// The entry, by its offset, of the innermost function that was inlined there. `address`: in the debug
  /// information. Names take long to find; so who wants that of an entry asks for it.
  u64 at(u64 address) const;
  /// Up to where the same holds; ~0 if nothing else follows.
  u64 end_of(u64 address) const;
  /// Over what is there so far: functions are to come before those that are inlined into them.
  void add(u64 start, u64 end, u64 entry);

 private:
  std::map<u64, u64> starts_;  ///< of stretches: the entry
};

}  // namespace orrery::elf
