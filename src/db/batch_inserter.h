// Inserts many rows: from some number on, several with one statement, which takes half the time for each.
//
//     db::BatchInserter<MapRow> insert = TRY(db::BatchInserter<MapRow>::of(database, kMap));
//     for (const MapRow& row : rows) TRY(insert.add(row));
//     TRY(insert.flush());
#pragma once

#include <optional>
#include <vector>

#include "db/database.h"

namespace orrery::db {

/// Whatever its rows are.
class BatchInserterBase {
 public:
  virtual ~BatchInserterBase() = default;
  /// All rows that were added are in the table; until then the last ones may not be.
  virtual Fallible<Nothing> flush() = 0;
};

template <class Row>
class BatchInserter final : public BatchInserterBase {
 public:
  /// `database` and `table` must outlive it.
  static Fallible<BatchInserter> of(Database& database, const Table<Row>& table) {
    return BatchInserter(database, table, TRY(database.inserter(table)));
  }

  /// What fails may be a row that was added before.
  Fallible<Nothing> add(const Row& row) {
    if (alone_ < kRowsAlone) {
      ++alone_;
      return one_.add(row);
    }
    if (!has_large_values_ && !many_) many_.emplace(TRY(prepare()));
    if (has_large_values_) return one_.add(row);
    waiting_.push_back(row);
    if (waiting_.size() < kRowsAtOnce) return Nothing{};
    int parameter = 1;
    for (const Row& each : waiting_)
      for (const Column<Row>& column : table_->columns) column.bind(*many_, parameter++, each);
    waiting_.clear();
    return many_->run();
  }

  Fallible<Nothing> flush() override {
    const std::vector<Row> rest = std::exchange(waiting_, {});
    for (const Row& each : rest) TRY(one_.add(each));
    return Nothing{};
  }

 private:
  static constexpr u32 kRowsAlone =
      1024;  ///< preparing the long statement takes as long as some hundred rows
  static constexpr u32 kRowsAtOnce = 32;

  BatchInserter(Database& database, const Table<Row>& table, Inserter<Row> one)
      : database_(&database), table_(&table), one_(std::move(one)) {
    for (const Column<Row>& column : table.columns)
      has_large_values_ = has_large_values_ || column.type == Type::blob;
  }

  Fallible<Statement> prepare() { return database_->prepare(insert_sql(describe(*table_), kRowsAtOnce)); }

  Database* database_;
  const Table<Row>* table_;
  Inserter<Row> one_;
  std::optional<Statement> many_;
  std::vector<Row> waiting_;
  u32 alone_ = 0;
  bool has_large_values_ = false;
};

}  // namespace orrery::db
