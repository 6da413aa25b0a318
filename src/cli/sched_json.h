// `orrery show sched --json`, as docs/sched.schema.json has it.
#pragma once

#include <vector>

#include "base/failure_hosted.h"
#include "cli/layer_options.h"
#include "cli/sched_rows.h"
#include "db/database.h"

namespace orrery::cli {

/// `path`: empty if none was asked for.
Fallible<Nothing> print_sched_json(db::Database& database, const LayerOptions& options,
                                   const std::vector<PathPiece>& path);

}  // namespace orrery::cli
