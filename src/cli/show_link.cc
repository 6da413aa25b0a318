// `orrery show link`: what the dynamic linker searched, loaded and bound, and who won.
#include <unistd.h>

#include <cstdio>

#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/rows_text.h"
#include "cli/show.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

/// One program's part of the report.
class LinkReport {
 public:
  LinkReport(db::Database& database, i64 process, i64 program, bool all, const Style& style)
      : database_(database),
        of_(" WHERE process = " + std::to_string(process) + " AND program = " + std::to_string(program)),
        all_(all),
        style_(style) {}

  Fallible<Nothing> print() {
    TRY(print_troubles());
    TRY(section(
        "Loaded",
        "SELECT object AS n, path, coalesce(rule, '') AS 'found by', coalesce(needed_by, '') AS 'needed "
        "by',"
        " CASE WHEN name_space > 0 THEN name_space ELSE '' END AS 'namespace', printf('%#x', base) AS base,"
        " CASE WHEN relro_start IS NULL THEN 'no RELRO' WHEN relro_ticks IS NULL THEN 'RELRO not applied'"
        " ELSE printf('read-only at tick %d', relro_ticks) END AS relro FROM link_object" +
            of_ + " ORDER BY object"));
    TRY(section("Where it looked",
                "SELECT name, path, rule, coalesce(error, 'found') AS result FROM link_search" + of_ +
                    searched() + " ORDER BY number"));
    TRY(section(
        "Bindings",
        "SELECT object, sum(kind != 'lazy' AND after IS NOT NULL) AS 'at the start',"
        " sum(kind = 'lazy' AND after IS NOT NULL) AS 'at the first call', sum(after IS NULL) AS never,"
        " sum(kind = 'copy') AS copies, sum(kind = 'ifunc') AS ifuncs,"
        " coalesce(sum(cost_ticks), 0) AS 'ticks at calls', sum(writable) AS 'writable slots'"
        " FROM link_binding" +
            of_ + " GROUP BY object ORDER BY min(rowid)"));
    TRY(section("Defined more than once", "SELECT symbol, winner, loser, bindings FROM link_interposition" +
                                              of_ + " ORDER BY symbol, loser"));
    if (!all_) return Nothing{};
    return section(
        "Every binding",
        "SELECT object, symbol, coalesce(version, '') AS version, kind, coalesce(provider, '-') AS provider,"
        " printf('%#x', slot) AS slot, printf('%#x', before) AS before,"
        " CASE WHEN after IS NULL THEN 'not bound' ELSE printf('%#x', after) END AS after, event, ticks,"
        " cost_ticks AS cost FROM link_binding" +
            of_ + " ORDER BY rowid");
  }

 private:
  /// Without --all only what failed, and what was tried for the same library.
  std::string searched() const {
    return all_ ? "" : " AND name IN (SELECT name FROM link_search" + of_ + " AND NOT found)";
  }

  Fallible<Nothing> print_troubles() {
    db::Statement troubles =
        TRY(database_.prepare("SELECT kind, subject, words FROM link_trouble" + of_ + " ORDER BY rowid"));
    while (TRY(troubles.step())) {
      const std::string kind(troubles.text(0));
      std::printf("  %s %s: %s\n", kind.starts_with("missing") ? style_.red(kind).c_str() : kind.c_str(),
                  printable(troubles.text(1)).c_str(), printable(troubles.text(2)).c_str());
    }
    return Nothing{};
  }

  /// Nothing is printed where there are no rows.
  Fallible<Nothing> section(const char* title, const std::string& sql) {
    db::Statement count = TRY(database_.prepare("SELECT count(*) FROM (" + sql + ")"));
    TRY(count.step());
    if (count.integer(0) == 0) return Nothing{};
    std::printf("\n%s\n", style_.bold(title).c_str());
    db::Statement rows = TRY(database_.prepare(sql));
    TRY(print_rows(rows, RowFormat::table, stdout));
    return Nothing{};
  }

  db::Database& database_;
  std::string of_;
  bool all_;
  const Style& style_;
};

Fallible<Nothing> print_all(db::Database& database, const LayerOptions& options, const Style& style) {
  db::Statement programs = TRY(database.prepare("SELECT process, program, path, linked FROM program WHERE " +
                                                options.condition() + " ORDER BY process, program"));
  bool is_first = true;
  while (TRY(programs.step())) {
    if (!is_first) std::printf("\n");
    is_first = false;
    std::printf("%s\n", style.bold(printable(programs.text(2))).c_str());
    const bool is_dynamic = programs.text(3) == "dynamic";
    std::printf(
        "  process #%ld, %s\n", programs.integer(0),
        is_dynamic ? "dynamic" : (std::string(programs.text(3)) + ": nothing is left to link").c_str());
    if (is_dynamic)
      TRY(LinkReport(database, programs.integer(0), programs.integer(1), options.all, style).print());
  }
  if (is_first) return Failure("no program began in that process; `orrery ps` lists the processes");
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  db::Database database =
      TRY(collect(options.directory, {{lens_of_table("program"), lens_of_table("link_object")}}));
  if (!options.json) return print_all(database, options, Style::for_stream(session.color, STDOUT_FILENO));
  // One object: a table a key.
  const char* separator = "{";
  for (const char* table :
       {"link_object", "link_search", "link_binding", "link_interposition", "link_trouble"}) {
    std::printf("%s\"%s\": ", separator, table);
    db::Statement rows =
        TRY(database.prepare(std::string("SELECT * FROM ") + table + " WHERE " + options.condition()));
    TRY(print_rows(rows, RowFormat::json, stdout));
    separator = ", ";
  }
  std::printf("}\n");
  return Nothing{};
}

}  // namespace

void add_show_link(CLI::App& show_command, Session& session) {
  add_layer(show_command, session, "link", "What the dynamic linker searched, loaded and bound", show,
            "  orrery record -- python3 -c 'import ssl'; orrery show link\n"
            "  orrery show link --all           every search and every binding\n"
            "  orrery query \"SELECT symbol, caller, ticks FROM link_binding WHERE kind = 'lazy'\"\n");
}

}  // namespace orrery::cli
