// The page docs/tables.md, every table that a lens fills, written from the declarations; and the same as a
// JSON Schema, since reports print rows as they are.
#pragma once

#include <span>
#include <string>

#include "db/table.h"

namespace orrery::db {

/// A statement that shows what a table is good for.
struct TableExample {
  const char* table;
  const char* question;  ///< what it answers, without a full stop
  const char* sql;
};

std::string tables_page(std::span<const TableDescription> tables, std::span<const TableExample> examples);

/// One definition a table: a row as `--json` prints it.
std::string tables_schema(std::span<const TableDescription> tables);

}  // namespace orrery::db
