// Which code of a compilation unit was inlined from which function, for those who ask about many addresses.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::elf {

class InlinedCode {
 public:
  /// The innermost function that was inlined there; "" if none was. `address`: in the debug information.
  const std::string& at(u64 address) const;
  /// Over what is there so far: functions are to come before those that are inlined into them.
  void add(u64 start, u64 end, const std::string& name);

 private:
  u32 number_at(u64 address) const;

  std::map<u64, u32> starts_;           ///< of stretches: number of the name
  std::vector<std::string> names_{""};  ///< the first: none
  std::map<std::string, u32> numbers_{{"", 0}};
};

}  // namespace orrery::elf
