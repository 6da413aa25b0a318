// What keeps the user's own SQL from doing anything but read: SQLite's authorizer, which is asked about every
// action while a statement is prepared, and limits on what one statement may grow to.
#pragma once

struct sqlite3;

namespace orrery::db {

/// Holds for the rest of the connection. Returns SQLite's code.
int allow_only_reading(sqlite3* handle);

}  // namespace orrery::db
