// Which of the four phases (preprocess, compile, assemble, link) a program of a build carries out, told from
// its name and arguments as compilers and linkers document them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::lens::build {

enum class Phase : u8 { driver, preprocess, compile, assemble, link, archive, tool, other };
const char* name_of(Phase phase);

struct PhaseFacts {
  Phase phase = Phase::other;
  std::vector<Phase> merged{};  ///< all that one process did, in order, where that is more than one
};

/// `arguments` with the program's own name in front. `alone`: it started no other program.
PhaseFacts phase_of(const std::string& program, const std::vector<std::string>& arguments, bool alone);

/// "preprocesses and compiles in one process"; "" if it did one thing.
std::string merged_words(const PhaseFacts& facts);

/// What a file is, by its first bytes and, where text has no magic, by its name: "object", "assembly".
std::string kind_of_file(const std::string& path, std::span<const u8> bytes);

}  // namespace orrery::lens::build
