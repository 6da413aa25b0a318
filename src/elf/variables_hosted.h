// The variables of a frame, with the values DWARF can find at that pc, written as a person would.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/unwind_hosted.h"

namespace orrery::elf {

/// `brief`: what fits on the line of a backtrace. `full`: all members and elements, up to 200 of them.
enum class Detail : u8 { brief, full };

struct Variable {
  std::string name{};
  std::string type{};            ///< "const char *"
  std::string value{};           ///< "NULL", "42", "\"text\""; "<optimized out>" when it cannot be known
  std::optional<u64> pointer{};  ///< the address, if it is a pointer or reference that is known
  std::optional<u64> address{};  ///< where it lies, if it is in memory
  u64 size_bytes = 0;            ///< 0 if its type does not say
  std::string place{};           ///< the register it is in; "" if it is in none, or in several
  int line = 0;                  ///< where it is declared; 0 if unknown
  int depth = 0;                 ///< blocks around it within its function
};

struct FunctionVariables {
  std::vector<Variable> arguments{};
  std::vector<Variable> locals{};  ///< those of the innermost block first
};

/// The variables of the functions at the frame `index` of `stack`: one entry for each of
/// Location::frames (inlined functions have their own), innermost first.
std::vector<FunctionVariables> variables_of(StoppedMachine& machine, const Images& images, const Stack& stack,
                                            u64 index, Detail detail);
/// Functions without a frame of their own between that frame and its caller: the caller called the last of
/// these, each ended in a jump to the one before, and the first to the frame's function (tail calls).
std::vector<std::string> tail_callers_of(StoppedMachine& machine, const Images& images, const Stack& stack,
                                         u64 index);
/// The arguments alone, brief.
std::vector<std::vector<Variable>> arguments_of(StoppedMachine& machine, const Images& images,
                                                const Stack& stack, u64 index);

}  // namespace orrery::elf
