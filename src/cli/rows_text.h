// The rows of a statement, printed: as a table for people, as CSV (RFC 4180) or as JSON.
#pragma once

#include <cstdio>
#include <string>

#include "base/failure_hosted.h"
#include "db/statement.h"

namespace orrery::cli {

enum class RowFormat : u8 {
  table,
  report,  ///< a table whose names are as in the source, not as the linker has them
  csv,
  json,
};

/// Steps through the statement to its end. Returns how many rows there were.
Fallible<u64> print_rows(db::Statement& statement, RowFormat format, std::FILE* out);

}  // namespace orrery::cli
