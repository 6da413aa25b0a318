// The callgrind profile format, version 1, as KCachegrind and callgrind_annotate read it (Valgrind manual,
// "Callgrind Format Specification").
#pragma once

#include <cstdio>
#include <string>

#include "lens/profile/program_profile.h"

namespace orrery::cli {

struct CallgrindProgram {
  const lens::profile::ProfileRows& rows;
  std::string command{};
  i32 pid = 0;
};

/// One program. Instructions are counted as Valgrind does, which takes each turn of a repeated string
/// instruction for one.
void write_callgrind(const CallgrindProgram& program, std::FILE* out);

}  // namespace orrery::cli
