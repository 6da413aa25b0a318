#include "db/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "db/reading_only.h"

namespace orrery::db {
namespace {

constexpr int kBusyWaitMilliseconds = 10'000;
constexpr int kStepsBetweenQuestions = 4'000;  // well under a millisecond

int ask_to_stop(void* stop) {
  const auto& question = *static_cast<const std::function<bool()>*>(stop);
  return question && question() ? 1 : 0;
}

}  // namespace

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);  // waits for the last Statement
}

Fallible<Database> Database::open(const std::string& path, int flags) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database;
  database.handle_.reset(handle);  // there is one after most failures too
  if (code != SQLITE_OK) {
    return Failure(path + ": " + (handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code)));
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyWaitMilliseconds);
  return database;
}

Fallible<Database> Database::create(const std::string& path) {
  Database database = TRY(open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  TRY(database.execute("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY"));
  return database;
}

Fallible<Database> Database::open_for_reading(const std::string& path) {
  Database database = TRY(open(path, SQLITE_OPEN_READONLY));
  // A file that is no database is found out by its first use: better here than in the user's statement.
  auto schema = database.execute("SELECT count(*) FROM sqlite_schema");
  if (!schema) return Failure(path + ": " + schema.error().sentence);
  TRY(database.execute("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY"));
  if (const int code = allow_only_reading(database.handle_.get()); code != SQLITE_OK) {
    return Failure(path + ": " + sqlite3_errstr(code));
  }
  return database;
}

Fallible<Nothing> Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Failure(sqlite3_errmsg(handle_.get()));
  }
  return Nothing{};
}

Fallible<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  constexpr std::size_t kLongest = 1'000'000;  // SQLite's own limit
  if (sql.size() > kLongest) return Failure("the statement is longer than 1,000,000 bytes");
  if (sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &raw, &rest) != SQLITE_OK) {
    return Failure(sqlite3_errmsg(handle_.get()));
  }
  Statement statement(raw);
  if (raw == nullptr) return Failure("there is no statement in it");
  const std::string_view behind = sql.substr(static_cast<std::size_t>(rest - sql.data()));
  if (!std::all_of(behind.begin(), behind.end(),
                   [](char c) { return c == ';' || c == ' ' || c == '\n' || c == '\t'; })) {
    return Failure("there is more than one statement in it");
  }
  return statement;
}

Fallible<bool> Database::has_table(const std::string& name) {
  Statement statement =
      TRY(prepare("SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?"));
  statement.bind(1, name);
  return statement.step();
}

Fallible<Nothing> Database::copy_to(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Failure(path + ": " + std::strerror(errno));
  close(fd);
  Database copy = TRY(open(path, SQLITE_OPEN_READWRITE));
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle_.get(), "main", handle_.get(), "main");
  if (backup == nullptr) return Failure(path + ": " + sqlite3_errmsg(copy.handle_.get()));
  constexpr int kAllPages = -1;
  sqlite3_backup_step(backup, kAllPages);
  if (sqlite3_backup_finish(backup) != SQLITE_OK)
    return Failure(path + ": " + sqlite3_errmsg(copy.handle_.get()));
  return Nothing{};
}

void Database::stop_when(std::function<bool()> stop) {
  *stop_ = std::move(stop);
  sqlite3_progress_handler(handle_.get(), kStepsBetweenQuestions, *stop_ ? ask_to_stop : nullptr,
                           stop_.get());
}

Fallible<Transaction> Database::begin() {
  TRY(execute("BEGIN IMMEDIATE"));
  return Transaction(*this);
}

Fallible<Nothing> Transaction::commit() {
  CHECK(database_ != nullptr, "a transaction is committed once");
  TRY(database_->execute("COMMIT"));
  database_ = nullptr;
  return Nothing{};
}

Transaction::~Transaction() {
  // After some failures (a full disk) SQLite has undone it already, and ROLLBACK says so: nothing is lost.
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

}  // namespace orrery::db
