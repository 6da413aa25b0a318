// The first line of a script, taken apart as fs/binfmt_script.c does. Pure.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace orrery::kernel {

struct ScriptLine {
  bool valid = false;
  std::vector<char> interpreter;  ///< without NUL
  bool has_argument = false;
  std::vector<char> argument;  ///< all that follows, one argument, without NUL
};

bool is_script(std::span<const u8> head);

/// `head` is the file's first bytes (at most elf::kHeadBytes). Not valid: ENOEXEC.
ScriptLine parse_script_line(std::span<const u8> head);

}  // namespace orrery::kernel
