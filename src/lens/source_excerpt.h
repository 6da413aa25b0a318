// A few lines of a source file around the one that matters: from what was packed with the recording, else
// from the disk, if the file there is still what was compiled.
#pragma once

#include <string>
#include <vector>

#include "elf/symbolizer_hosted.h"

namespace orrery::lens {

struct SourceExcerpt {
  int first_line = 0;
  std::vector<std::string> lines{};  ///< empty when the file is not there, or another than was compiled
  std::string warning{};             ///< a sentence
};

struct SourceWanted {
  const elf::SourceLine& source;
  int lines_before = 0, lines_after = 0;
  u64 program_mtime_ns = 0;  ///< 0: not known
};

/// `recording`: its directory, or "".
SourceExcerpt read_excerpt(const std::string& recording, const SourceWanted& wanted);

}  // namespace orrery::lens
