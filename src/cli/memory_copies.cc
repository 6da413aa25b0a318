#include "cli/memory_copies.h"

#include <cstdio>

#include "base/base_name.h"
#include "cli/recording_text.h"
#include "cli/rows_text.h"

namespace orrery::cli {
namespace {

constexpr long kShownMost = 40;

/// SQL. A page that was shared since a fork is copied only if somebody else still has it: the last one keeps
/// it (mm/memory.c, wp_can_reuse_anon_folio).
std::string copies_of(const LayerOptions& options) {
  return "SELECT process, program, page, meaning, object,"
         " CASE WHEN from_frame >= 1 << 62 THEN 'file' ELSE 'fork' END AS origin,"
         " from_frame >= 1 << 62 OR EXISTS (SELECT 1 FROM page_frame o WHERE o.frame = c.from_frame"
         " AND o.process <> c.process AND o.begin_ns <= c.begin_ns AND o.end_ns > c.begin_ns)"
         " AS is_copied, begin_event AS event, begin_ticks AS ticks, begin_instructions AS instructions,"
         " begin_ns AS time_ns, task, pc, function, line FROM page_frame c WHERE came = 'copied' AND " +
         options.condition("begin_event", "begin_ticks", "begin_ns");
}

std::string what_of(db::Statement& row) {
  std::string what(row.text(5));
  if (!row.is_null(6)) what += " of " + std::string(base_name(row.text(6)));
  return what;
}

std::string by_of(db::Statement& row) {
  std::string by(row.is_null(7) ? (row.integer(9) == 0 ? "the kernel" : "?") : row.text(7));
  if (!row.is_null(8)) by += ", " + std::string(base_name(row.text(8)));
  return by;
}

const char* outcome_of(db::Statement& row) {
  if (row.text(3) == "file") return "copied from the file";
  return row.integer(4) != 0 ? "copied since a fork" : "kept: its only one left";
}

}  // namespace

Fallible<Nothing> show_copies(db::Database& database, const LayerOptions& options, const Style& style) {
  const std::string copies = copies_of(options);
  if (options.json) {
    db::Statement rows = TRY(database.prepare(copies + " ORDER BY process, begin_event, begin_ticks, page"));
    TRY(print_rows(rows, RowFormat::json, stdout));
    return Nothing{};
  }
  db::Statement rows = TRY(database.prepare(
      "SELECT process, (SELECT p.program FROM process p WHERE p.process = c.process), task, origin, "
      "is_copied,"
      " meaning, object, function, line, pc, count(*), min(time_ns) FROM (" +
      copies +
      ") c GROUP BY process, program, task, origin, is_copied, meaning, object, function, line, pc = 0"
      " ORDER BY process, min(event), min(ticks)"));
  i64 process = -1;
  long shown = 0, left_out = 0;
  const auto tell_left_out = [&] {
    if (left_out != 0)
      std::printf("%s\n", style.dim("and " + std::to_string(left_out) + " more: --all").c_str());
    shown = left_out = 0;
  };
  while (TRY(rows.step())) {
    if (rows.integer(0) != process) {
      tell_left_out();
      std::printf(
          "%s%s\n%s\n", process < 0 ? "" : "\n",
          style.bold("process #" + std::to_string(rows.integer(0)) + ", " + printable(rows.text(1))).c_str(),
          style.bold("      FIRST AT     TASK   PAGES  WHAT HAPPENED            WHAT, AND BY WHOM").c_str());
    }
    process = rows.integer(0);
    if (!options.all && shown == kShownMost) {
      ++left_out;
      continue;
    }
    ++shown;
    std::printf("%14s  %7ld  %6ld  %-23s  %s%s\n",
                milliseconds(static_cast<double>(rows.integer(11))).c_str(), rows.integer(2),
                rows.integer(10), outcome_of(rows), printable(what_of(rows)).c_str(),
                style.dim("  by " + printable(by_of(rows))).c_str());
  }
  tell_left_out();
  if (process < 0) return Failure("no write broke copy-on-write there");
  return Nothing{};
}

}  // namespace orrery::cli
