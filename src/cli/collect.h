// Asks lenses about a recording: what they have not found yet is looked for in replays of all processes,
// and kept in REC/layers.sqlite.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "db/database.h"
#include "lens/lens.h"

namespace orrery::cli {

/// The tables of these lenses, and of any that were collected before. Waits for another `orrery` that
/// collects from the same recording. Where nothing can be written beside the recording, the tables last as
/// long as the Database.
Fallible<db::Database> collect(const std::string& directory, std::span<const lens::Lens* const> lenses);
/// The same, also if they have looked before: what they keep beside the tables is lost.
Fallible<db::Database> collect_anew(const std::string& directory, std::span<const lens::Lens* const> lenses);

/// A lens that is asked in words of the user's.
struct OwnQuestion {
  const lens::Lens* lens;  ///< whose tables are filled
  std::string words;
  std::function<std::unique_ptr<lens::Inquiry>(const lens::Recording&, lens::Rows&)> inquire;
};
/// Its tables alone, which are kept apart from those of the lens until it is asked in other words.
Fallible<db::Database> collect_own(const std::string& directory, const OwnQuestion& question);

/// The lens that fills this table, or null.
const lens::Lens* lens_of_table(const std::string& table);

}  // namespace orrery::cli
