// A few lines of a source file around the one that matters, if the file can be found.
#pragma once

#include <string>
#include <vector>

#include "elf/symbolizer_hosted.h"

namespace orrery::lens {

struct SourceExcerpt {
  int first_line = 0;
  std::vector<std::string> lines{};  ///< empty when the file is not there
  bool newer_than_program = false;   ///< the file was changed after the program was built
};

/// `program_mtime_ns` is 0 if it is not known.
SourceExcerpt read_excerpt(const elf::SourceLine& source, int lines_before, int lines_after,
                           u64 program_mtime_ns);

}  // namespace orrery::lens
