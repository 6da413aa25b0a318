// One prepared statement: parameters in, rows out. Made by Database::prepare, which it must not outlive.
//
//     db::Statement statement = TRY(database.prepare("SELECT name FROM section WHERE size > ?"));
//     statement.bind(1, i64{4096});
//     while (TRY(statement.step())) use(statement.text(0));
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/failure_hosted.h"
#include "base/types.h"

struct sqlite3_stmt;

namespace orrery::db {

class Statement {
 public:
  /// Parameters count from 1. A bind that fails (no such parameter, too long) is reported by the next step.
  void bind(int parameter, i64 value);
  void bind(int parameter, double value);
  void bind(int parameter, std::string_view text);
  void bind(int parameter, std::span<const u8> bytes);
  void bind_null(int parameter);

  /// Goes to the next row; false after the last. What text() and blob() gave before is gone then.
  Fallible<bool> step();
  /// For a statement without rows: runs it, and makes it ready to run again.
  Fallible<Nothing> run();
  /// Ready for other parameters and the first row again.
  void reset();

  /// Columns of the row that step() went to; they count from 0.
  int columns() const;
  std::string_view name(int column) const;
  bool is_null(int column) const;
  bool is_integer(int column) const;
  bool is_real(int column) const;
  bool is_blob(int column) const;
  i64 integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  ///< numbers as SQLite writes them
  std::span<const u8> blob(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void note(int code);
  Failure failure() const;

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_failure_ = 0;  ///< SQLite's code of the first bind that failed since the last step
};

}  // namespace orrery::db
