// The arguments of a frame, with the values DWARF can find at that pc, written as a person would.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/unwind_hosted.h"

namespace orrery::elf {

struct Argument {
  std::string name;
  std::string type;            ///< "const char *"
  std::string value;           ///< "NULL", "42", "\"text\""; "<optimized out>" when it cannot be known
  std::optional<u64> pointer;  ///< the address, if it is a pointer or reference that is known
};

/// The arguments of the functions at the frame `index` of `stack`: one list for each of
/// Location::frames (inlined functions have their own), innermost first.
std::vector<std::vector<Argument>> arguments_of(StoppedMachine& machine, const Images& images,
                                                const Stack& stack, u64 index);

}  // namespace orrery::elf
