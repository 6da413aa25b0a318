// The launch block as the engine finds it: the header of machine/launch.h and the strings behind it.
#pragma once

#include <vector>

#include "base/result.h"
#include "machine/launch.h"

namespace orrery::engine {

struct LaunchBlock {
  machine::LaunchHeader* header = nullptr;
  const char* program = nullptr;
  const char* working_directory = nullptr;
  std::vector<const char*> arguments;
  std::vector<const char*> environment;
};

/// Maps the block from `fd` and takes it apart. Errors: not a launch block, or one of another version.
Result<LaunchBlock> read_launch_block(int fd);

}  // namespace orrery::engine
