// Where lenses put their rows: tables of one database, from several threads at once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "db/batch_inserter.h"

namespace orrery::lens {

class Rows {
 public:
  /// The tables must be there.
  explicit Rows(db::Database& database) : database_(database) {}

  /// After a failure nothing more is added: see result().
  template <class Row>
  void add(const db::Table<Row>& table, const Row& row) {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    auto& known = inserters_[&table];
    if (known.rows == nullptr) {
      auto made = db::BatchInserter<Row>::of(database_, table);
      if (!made) return note(table.name, made.error());
      known = {table.name, std::make_unique<db::BatchInserter<Row>>(made.take())};
    }
    if (auto added = static_cast<db::BatchInserter<Row>&>(*known.rows).add(row); !added)
      note(table.name, added.error());
  }

  /// Those that a lens that is needed (Lens::needs) has found, or that are in the tables already.
  template <class Row>
  Fallible<std::vector<Row>> read(const db::Table<Row>& table, const std::string& rest) {
    const std::lock_guard lock(mutex_);
    flush();
    return database_.read(table, rest);
  }

  /// No more is added. The first failure, if there was one.
  Fallible<Nothing> finish() {
    const std::lock_guard lock(mutex_);
    flush();
    if (failure_) return *failure_;
    return Nothing{};
  }

 private:
  void flush() {
    for (auto& [table, inserter] : inserters_)
      if (auto flushed = inserter.rows->flush(); !flushed) note(inserter.table, flushed.error());
  }
  void note(const char* table, const Failure& failure) {
    if (!failure_) failure_.emplace(std::string("writing the table ") + table + ": " + failure.sentence);
  }

  db::Database& database_;
  std::mutex mutex_;
  struct Inserter {
    const char* table = nullptr;
    std::unique_ptr<db::BatchInserterBase> rows{};
  };
  std::map<const void*, Inserter> inserters_;  ///< by the table's address
  std::optional<Failure> failure_;
};

}  // namespace orrery::lens
