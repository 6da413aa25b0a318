// Which recorded build made a file: looked for by its content, in the recordings whose builds have been
// looked at.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::cli {

struct MadeBy {
  std::string recording{};  ///< as a command takes it: a name, or a directory
  u64 artefact = 0;
  std::string path{};  ///< as the build called it
  std::string kind{};
  u32 step = 0;
  std::string command{};  ///< of the step
};

/// `directory`: of the recording that is shown. It is looked in too, and so are those that lie beside it.
/// Newest first.
std::vector<MadeBy> find_builds(const std::string& directory, const std::string& xxh64);

/// "orrery show build make-0 --link '#3'"
std::string build_command(const MadeBy& made);

}  // namespace orrery::cli
