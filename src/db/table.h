// How a table is declared: once. A row is a struct, a column names one of its members and says in a sentence
// what it means; the schema, the insert, the reading back and the page docs/tables.md come from that.
//
//     struct MapRow {
//       i64 id;
//       u64 start;
//       std::optional<std::string> path;
//     };
//     constexpr db::Column<MapRow> kMapColumns[] = {
//         db::column<&MapRow::id>("id", "A number of its own.", db::Key::primary),
//         db::column<&MapRow::start>("start", "The first address.", db::Key::indexed),
//         db::column<&MapRow::path>("path", "The file; NULL if there is none."),
//     };
//     constexpr db::Table<MapRow> kMap = {"memory_map", "One mapping of the address space.", kMapColumns};
//
// Members may be integers, bool, double, std::string, std::vector<u8>, or a std::optional of one of these,
// which is the only way to NULL. SQLite's integers are signed: a u64 keeps its bits, so that addresses of
// 2^63 and above read as negative, and printf('%x', address) shows them right.
#pragma once

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/types.h"
#include "db/statement.h"

namespace orrery::db {

/// SQLite's storage classes; the tables are STRICT, so that a value has its column's.
enum class Type : u8 { integer, real, text, blob };

enum class Key : u8 {
  none,
  primary,  ///< the row's own number, at most one a table
  indexed,  ///< looked up often
};

template <class Row>
struct Column {
  const char* name;
  Type type;
  bool nullable;
  Key key;
  const char* sentence;
  void (*bind)(Statement& statement, int parameter, const Row& row);
  void (*load)(const Statement& statement, int column, Row& row);
};

template <class Row>
struct Table {
  const char* name;
  const char* sentence;
  std::span<const Column<Row>> columns;
};

/// The same without the row's type: what schema and documentation need.
struct ColumnDescription {
  const char* name;
  Type type;
  bool nullable;
  Key key;
  const char* sentence;
};
struct TableDescription {
  const char* name;
  const char* sentence;
  std::vector<ColumnDescription> columns;
};

template <class Row>
TableDescription describe(const Table<Row>& table) {
  TableDescription description{table.name, table.sentence, {}};
  for (const Column<Row>& column : table.columns)
    description.columns.push_back({column.name, column.type, column.nullable, column.key, column.sentence});
  return description;
}

/// "INTEGER" and so on.
const char* name_of(Type type);

/// CREATE TABLE, and the CREATE INDEX statements, which are cheapest after the rows are in.
std::string create_table_sql(const TableDescription& table);
std::string create_indexes_sql(const TableDescription& table);
/// INSERT of so many rows with one parameter a column, in order.
std::string insert_sql(const TableDescription& table, u32 rows = 1);
/// SELECT of all columns, in order, without an end: " WHERE ..." may follow.
std::string select_sql(const TableDescription& table);

namespace detail {

template <class T>
struct Storage;
template <std::integral T>
struct Storage<T> {
  static constexpr Type type = Type::integer;
  static void bind(Statement& statement, int at, T value) { statement.bind(at, static_cast<i64>(value)); }
  static T load(const Statement& statement, int at) { return static_cast<T>(statement.integer(at)); }
};
template <>
struct Storage<double> {
  static constexpr Type type = Type::real;
  static void bind(Statement& statement, int at, double value) { statement.bind(at, value); }
  static double load(const Statement& statement, int at) { return statement.real(at); }
};
template <>
struct Storage<std::string> {
  static constexpr Type type = Type::text;
  static void bind(Statement& statement, int at, const std::string& value) { statement.bind(at, value); }
  static std::string load(const Statement& statement, int at) { return std::string(statement.text(at)); }
};
template <>
struct Storage<std::vector<u8>> {
  static constexpr Type type = Type::blob;
  static void bind(Statement& statement, int at, const std::vector<u8>& value) {
    statement.bind(at, std::span<const u8>(value));
  }
  static std::vector<u8> load(const Statement& statement, int at) {
    const auto bytes = statement.blob(at);
    return {bytes.begin(), bytes.end()};
  }
};
template <class T>
struct Storage<std::optional<T>> {
  static constexpr Type type = Storage<T>::type;
  static void bind(Statement& statement, int at, const std::optional<T>& value) {
    if (value)
      Storage<T>::bind(statement, at, *value);
    else
      statement.bind_null(at);
  }
  static std::optional<T> load(const Statement& statement, int at) {
    if (statement.is_null(at)) return std::nullopt;
    return Storage<T>::load(statement, at);
  }
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class Member>
struct MemberOf;
template <class Row_, class T>
struct MemberOf<T Row_::*> {
  using Row = Row_;
  using Value = T;
};

}  // namespace detail

/// The column that holds `Member`, say &MapRow::start.
template <auto Member>
consteval auto column(const char* name, const char* sentence, Key key = Key::none) {
  using Row = typename detail::MemberOf<decltype(Member)>::Row;
  using Value = typename detail::MemberOf<decltype(Member)>::Value;
  using Storage = detail::Storage<Value>;
  return Column<Row>{
      .name = name,
      .type = Storage::type,
      .nullable = detail::is_optional<Value>,
      .key = key,
      .sentence = sentence,
      .bind = [](Statement& statement, int at, const Row& row) { Storage::bind(statement, at, row.*Member); },
      .load = [](const Statement& statement, int at,
                 Row& row) { row.*Member = Storage::load(statement, at); },
  };
}

}  // namespace orrery::db
