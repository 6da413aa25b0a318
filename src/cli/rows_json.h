// Rows of a statement as JSON, for documents of several tables.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/failure_hosted.h"
#include "db/database.h"

namespace orrery::cli {

/// An array of objects, one a row.
Fallible<nlohmann::ordered_json> rows_json(db::Database& database, const std::string& sql);

}  // namespace orrery::cli
