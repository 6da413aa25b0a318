// The functions of a file that has no symbols for them: each range of code that .eh_frame has unwind rules
// for. Compilers write one entry (FDE) a function, or one for each of its parts.
#pragma once

#include <vector>

#include "base/types.h"
#include "elf/images_hosted.h"

namespace orrery::elf {

struct CodeRange {
  u64 start = 0, end = 0;  ///< at run time
};

/// In the order of the section; nothing of a file that has none, or one that cannot be read.
std::vector<CodeRange> frame_ranges(const Image& image);

}  // namespace orrery::elf
