// `orrery show build --link PATH`: what the linker of a recorded build decided.
#pragma once

#include "cli/build_object.h"

namespace orrery::cli {

/// The exit code; complains of what cannot be shown. `all`: every member, symbol and section.
int show_build_link(const BuildRows& rows, const BuildPart& part, bool all, const Style& style, Output& out);

}  // namespace orrery::cli
