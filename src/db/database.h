// An SQLite file: made and filled by lenses, read by reports, and opened read-only for the user's own SQL.
// The only room that speaks SQLite. One thread at a time may use a Database and what came from it.
//
//     db::Database database = TRY(db::Database::create(path));
//     db::Transaction transaction = TRY(database.begin());
//     TRY(database.create_table(kMap));
//     db::Inserter<MapRow> insert = TRY(database.inserter(kMap));
//     for (const MapRow& row : rows) TRY(insert.add(row));
//     TRY(database.create_indexes(kMap));
//     TRY(transaction.commit());
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "db/statement.h"
#include "db/table.h"

struct sqlite3;

namespace orrery::db {

class Database;

/// Undoes what was done since Database::begin, unless it was committed.
class Transaction {
 public:
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Fallible<Nothing> commit();

 private:
  friend class Database;
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

template <class Row>
class Inserter {
 public:
  Fallible<Nothing> add(const Row& row) {
    int parameter = 1;
    for (const Column<Row>& column : table_->columns) column.bind(statement_, parameter++, row);
    return statement_.run();
  }

 private:
  friend class Database;
  Inserter(const Table<Row>& table, Statement statement) : table_(&table), statement_(std::move(statement)) {}
  const Table<Row>* table_;
  Statement statement_;
};

class Database {
 public:
  /// Opens for reading and writing; made if it does not exist. What is in it can be computed again, so a
  /// transaction is safe against a killed process, and a crash of the whole host may cost the file.
  static Fallible<Database> create(const std::string& path);
  /// Opens an existing file for the SQL of strangers: it can read, and nothing else. No statement can write,
  /// attach another file, load code or change the connection.
  static Fallible<Database> open_for_reading(const std::string& path);

  /// Runs statements that have no parameters and whose rows nobody wants.
  Fallible<Nothing> execute(const std::string& sql);
  /// Exactly one statement.
  Fallible<Statement> prepare(std::string_view sql);
  Fallible<Transaction> begin();
  Fallible<bool> has_table(const std::string& name);

  template <class Row>
  Fallible<Nothing> create_table(const Table<Row>& table) {
    return execute(create_table_sql(describe(table)));
  }
  template <class Row>
  Fallible<Nothing> create_indexes(const Table<Row>& table) {
    return execute(create_indexes_sql(describe(table)));
  }
  /// `table` must outlive what this returns, as every constexpr table does.
  template <class Row>
  Fallible<Inserter<Row>> inserter(const Table<Row>& table) {
    return Inserter<Row>(table, TRY(prepare(insert_sql(describe(table)))));
  }
  /// All rows, or those that `rest` lets through: "WHERE size > 10 ORDER BY name".
  template <class Row>
  Fallible<std::vector<Row>> read(const Table<Row>& table, std::string_view rest = "") {
    Statement statement = TRY(prepare(select_sql(describe(table)).append(" ").append(rest)));
    std::vector<Row> rows;
    while (TRY(statement.step())) {
      Row& row = rows.emplace_back();
      int column = 0;
      for (const Column<Row>& each : table.columns) each.load(statement, column++, row);
    }
    return rows;
  }

  /// Writes all of it to a new file, with mode 0600. Fails if there is one.
  Fallible<Nothing> copy_to(const std::string& path);

  /// Asks `stop` every few thousand steps of a statement; once it says true, the statement fails with
  /// "interrupted". Holds until another call; an empty function asks no more.
  void stop_when(std::function<bool()> stop);

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  static Fallible<Database> open(const std::string& path, int flags);

  std::unique_ptr<std::function<bool()>> stop_ =
      std::make_unique<std::function<bool()>>();  // SQLite keeps its address
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace orrery::db
