// Where lenses put their rows: tables of one database, from several threads at once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "db/database.h"

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
    if (known == nullptr) {
      auto made = database_.inserter(table);
      if (!made) return note(table.name, made.error());
      known = std::make_shared<db::Inserter<Row>>(made.take());
    }
    if (auto added = static_cast<db::Inserter<Row>*>(known.get())->add(row); !added)
      note(table.name, added.error());
  }

  /// Those that a lens that is needed (Lens::needs) has found, or that are in the tables already.
  template <class Row>
  Fallible<std::vector<Row>> read(const db::Table<Row>& table, const std::string& rest) {
    const std::lock_guard lock(mutex_);
    return database_.read(table, rest);
  }

  /// The first failure, if there was one.
  Fallible<Nothing> result() const {
    if (failure_) return *failure_;
    return Nothing{};
  }

 private:
  void note(const char* table, const Failure& failure) {
    failure_.emplace(std::string("writing the table ") + table + ": " + failure.sentence);
  }

  db::Database& database_;
  std::mutex mutex_;
  std::map<const void*, std::shared_ptr<void>> inserters_;  ///< by the table's address
  std::optional<Failure> failure_;
};

}  // namespace orrery::lens
