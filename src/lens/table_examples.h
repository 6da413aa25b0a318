// For each table a statement that shows what it is good for: docs/tables.md and `orrery query` print them,
// and a test runs each on real recordings.
#pragma once

#include <span>

#include "db/tables_page.h"

namespace orrery::lens {

/// In the order of the tables.
std::span<const db::TableExample> table_examples();

}  // namespace orrery::lens
