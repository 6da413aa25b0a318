// Every table that a lens fills: one row a table in tables.cc. From here come docs/tables.md and the list
// that `orrery query` shows.
#pragma once

#include <vector>

#include "db/table.h"

namespace orrery::lens {

/// In the order of the documentation.
std::vector<db::TableDescription> all_tables();

}  // namespace orrery::lens
