// What the kernel puts on the stack of a new program (System V ABI, x86-64, 3.4.1): arguments, environment
// and the auxiliary vector.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "elf/stopped_machine_hosted.h"

namespace orrery::lens::load {

struct StartStack {
  std::vector<std::string> arguments{};
  u64 argv = 0;                                      ///< where the pointers to them lie
  std::map<std::string, std::string> environment{};  ///< by name; of equal names the first
  std::map<u64, u64> auxiliary{};                    ///< by AT_ type

  /// 0 if it is not there.
  u64 auxiliary_value(u64 type) const {
    const auto found = auxiliary.find(type);
    return found != auxiliary.end() ? found->second : 0;
  }
  std::string variable(const std::string& name) const {
    const auto found = environment.find(name);
    return found != environment.end() ? found->second : "";
  }
};

/// Before the program's first instruction.
StartStack read_start_stack(elf::StoppedMachine& machine);

}  // namespace orrery::lens::load
