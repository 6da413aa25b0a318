#include "db/statement.h"

#include <sqlite3.h>

namespace orrery::db {

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::note(int code) {
  if (bind_failure_ == SQLITE_OK) bind_failure_ = code;
}

void Statement::bind(int parameter, i64 value) {
  note(sqlite3_bind_int64(statement_.get(), parameter, value));
}

void Statement::bind(int parameter, double value) {
  note(sqlite3_bind_double(statement_.get(), parameter, value));
}

// SQLite copies text and bytes, so that no caller has to keep them; the difference drowns in the noise of an
// insert.
void Statement::bind(int parameter, std::string_view text) {
  const char* bytes = text.data() == nullptr ? "" : text.data();  // a null pointer would mean NULL
  note(sqlite3_bind_text64(statement_.get(), parameter, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind(int parameter, std::span<const u8> bytes) {
  if (bytes.empty())
    note(sqlite3_bind_zeroblob(statement_.get(), parameter, 0));
  else
    note(sqlite3_bind_blob64(statement_.get(), parameter, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
}

void Statement::bind_null(int parameter) { note(sqlite3_bind_null(statement_.get(), parameter)); }

Failure Statement::failure() const {
  sqlite3* database = sqlite3_db_handle(statement_.get());
  return Failure(sqlite3_errmsg(database));
}

Fallible<bool> Statement::step() {
  if (bind_failure_ != SQLITE_OK) {
    return Failure(std::string("a value for the statement: ") +
                   sqlite3_errstr(std::exchange(bind_failure_, 0)));
  }
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return failure();
  }
}

Fallible<Nothing> Statement::run() {
  Fallible<bool> row = step();
  sqlite3_reset(statement_.get());  // says again what step() said
  if (!row) return row.error();
  return Nothing{};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  bind_failure_ = SQLITE_OK;
}

int Statement::columns() const { return sqlite3_column_count(statement_.get()); }

std::string_view Statement::name(int column) const {
  const char* text = sqlite3_column_name(statement_.get(), column);
  return text != nullptr ? text : "";
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}
bool Statement::is_integer(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_INTEGER;
}
bool Statement::is_real(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_FLOAT;
}
bool Statement::is_blob(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_BLOB;
}

i64 Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string_view Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {reinterpret_cast<const char*>(text), bytes};
}

std::span<const u8> Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const u8*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

}  // namespace orrery::db
