// The SQL that a table's declaration stands for. Names come from our own declarations and are plain words, so
// nothing is quoted; a unit test of each registry of tables holds them to that.
#include <string>

#include "db/table.h"

namespace orrery::db {
namespace {

/// "a, b, c" of what `word` makes of each column.
template <class Word>
std::string list(const TableDescription& table, const Word& word) {
  std::string out;
  for (const ColumnDescription& column : table.columns) {
    if (!out.empty()) out += ", ";
    out += word(column);
  }
  return out;
}

std::string column_sql(const ColumnDescription& column) {
  std::string out = std::string(column.name) + " " + name_of(column.type);
  if (column.key == Key::primary) return out + " PRIMARY KEY";
  return column.nullable ? out : out + " NOT NULL";
}

}  // namespace

const char* name_of(Type type) {
  switch (type) {
    case Type::integer:
      return "INTEGER";
    case Type::real:
      return "REAL";
    case Type::text:
      return "TEXT";
    case Type::blob:
      return "BLOB";
  }
  return "";
}

std::string create_table_sql(const TableDescription& table) {
  return std::string("CREATE TABLE ") + table.name + " (" + list(table, column_sql) + ") STRICT";
}

std::string create_indexes_sql(const TableDescription& table) {
  std::string out;
  for (const ColumnDescription& column : table.columns) {
    if (column.key != Key::indexed) continue;
    const std::string name = std::string(table.name) + "_" + column.name;
    out += "CREATE INDEX " + name + " ON " + table.name + " (" + column.name + ");";
  }
  return out;
}

std::string insert_sql(const TableDescription& table, u32 rows) {
  const std::string row = "(" + list(table, [](const ColumnDescription&) { return "?"; }) + ")";
  std::string sql = std::string("INSERT INTO ") + table.name + " VALUES " + row;
  for (u32 more = 1; more < rows; ++more) sql += "," + row;
  return sql;
}

std::string select_sql(const TableDescription& table) {
  return "SELECT " + list(table, [](const ColumnDescription& column) { return column.name; }) + " FROM " +
         table.name;
}

}  // namespace orrery::db
