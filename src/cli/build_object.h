// `orrery show build --object PATH`: an object file that a recorded step made, also one that is gone.
#pragma once

#include "cli/build_rows.h"
#include "cli/file_output.h"
#include "cli/style.h"

namespace orrery::cli {

struct BuildPart {
  std::string recording;  ///< its directory
  std::string path;       ///< as the user named it
  bool json = false;
};

/// The exit code; complains of what cannot be shown.
int show_build_object(const BuildRows& rows, const BuildPart& part, const Style& style, Output& out);

}  // namespace orrery::cli
