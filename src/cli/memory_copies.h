// The writes that broke copy-on-write: which pages, when, by which task and instruction.
#pragma once

#include "base/failure_hosted.h"
#include "cli/layer_options.h"
#include "cli/style.h"
#include "db/database.h"

namespace orrery::cli {

/// Prints them for people, or as rows of JSON.
Fallible<Nothing> show_copies(db::Database& database, const LayerOptions& options, const Style& style);

}  // namespace orrery::cli
