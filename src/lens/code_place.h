// Places in code and call stacks as reports show them: values without any tie to the machine they came
// from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/symbolizer_hosted.h"
#include "elf/unwind_hosted.h"
#include "elf/variables_hosted.h"
#include "lens/replay_session.h"

namespace orrery::lens {

/// One line of a backtrace.
struct FrameFact {
  u64 pc = 0;
  std::string function{};    ///< demangled; "" if unknown
  u64 function_offset = 0;   ///< valid when there is no source line
  elf::SourceLine source{};  ///< line 0 if unknown
  std::string image{};       ///< path; "" if the pc is in no image
  u64 image_offset = 0;
  std::vector<elf::Variable> arguments{};
  bool has_arguments = false;  ///< DWARF told of them (there may be none)
  bool inlined = false;
  bool users = false;  ///< of the program itself or a library of its own, not of the system's
  elf::FoundBy found_by = elf::FoundBy::registers;
  bool signal_frame = false;  ///< the kernel put this frame here to run a handler
};

struct StackFact {
  std::vector<FrameFact> inner{};  ///< innermost first, with inlined functions
  std::vector<FrameFact> outer{};  ///< the outermost, when there are more frames than are shown
  u64 frames_total = 0;            ///< without inlined functions
  bool complete = false;
  std::optional<u64>
      overwritten_return;  ///< the return address that leads nowhere, when the stack ends at one
  std::string repeated{};  ///< the function that fills the stack, in a deep recursion
  u64 repeated_count = 0;

  /// The innermost frame of the user's code that has a source line, else of the user's code, else null.
  const FrameFact* users() const;
};

/// A function's name without parameter list, version and compiler's suffixes, the usual long names short.
std::string short_function(const std::string& name);

/// True for files of the distribution, whose insides the user did not write.
bool is_system_file(const std::string& path);

/// The stack of the stopped machine. `program` is the main program's path: always the user's.
StackFact stack_of(ReplaySession& session, const std::string& program, u64 frames_shown);

}  // namespace orrery::lens
