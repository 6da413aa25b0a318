#include "db/reading_only.h"

#include <sqlite3.h>

#include <array>
#include <string_view>

namespace orrery::db {
namespace {

/// The pragmas that only tell; with an argument of theirs, a table's name.
constexpr std::array<std::string_view, 8> kTellingPragmas = {"table_list",    "table_info",    "table_xinfo",
                                                             "index_list",    "index_info",    "index_xinfo",
                                                             "function_list", "collation_list"};

bool is_telling(const char* pragma) {
  for (const std::string_view each : kTellingPragmas) {
    if (pragma != nullptr && each == pragma) return true;
  }
  return false;
}

// The safe answer is the default: an action that a later SQLite adds is refused.
int authorize(void*, int action, const char* first, const char* second, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return second != nullptr && std::string_view(second) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
      return is_telling(first) ? SQLITE_OK : SQLITE_DENY;
    default:
      return SQLITE_DENY;
  }
}

}  // namespace

int allow_only_reading(sqlite3* handle) {
  constexpr int kBytesMost = 100 << 20;  // of one value or row
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kBytesMost);
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(handle, SQLITE_LIMIT_WORKER_THREADS, 0);
  // A file from a stranger may hold views and triggers of theirs: those get harmless functions only.
  for (const auto [option, value] :
       {std::array{SQLITE_DBCONFIG_DEFENSIVE, 1}, std::array{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        std::array{SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0}}) {
    if (const int code = sqlite3_db_config(handle, option, value, nullptr); code != SQLITE_OK) return code;
  }
  return sqlite3_set_authorizer(handle, authorize, nullptr);
}

}  // namespace orrery::db
