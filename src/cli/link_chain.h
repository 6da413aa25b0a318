// `orrery show link --symbol NAME`: from a binding to the step that mapped its provider, from there to the
// file, and to the recorded build that made it, each with the command that leads there.
#pragma once

#include "cli/layer_options.h"
#include "cli/style.h"
#include "db/database.h"

namespace orrery::cli {

/// `database`: with the layers link and load.
Fallible<Nothing> show_chain(db::Database& database, const LayerOptions& options, const std::string& symbol,
                             const Style& style);

}  // namespace orrery::cli
