// `orrery show build` for people, and for programs.
#pragma once

#include "cli/build_rows.h"
#include "cli/file_output.h"
#include "cli/style.h"

namespace orrery::cli {

/// `all`: with whole commands, and every file that was read.
void print_build(const BuildRows& rows, bool all, const Style& style, Output& out);
void print_build_json(const BuildRows& rows);

}  // namespace orrery::cli
