// The page docs/tables.md: every table that a lens fills, written from the declarations.
#pragma once

#include <span>
#include <string>

#include "db/table.h"

namespace orrery::db {

std::string tables_page(std::span<const TableDescription> tables);

}  // namespace orrery::db
