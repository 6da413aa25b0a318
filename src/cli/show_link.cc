// `orrery show link`: what the dynamic linker searched, loaded and bound, and who won.
#include <unistd.h>

#include <cstdio>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/link_chain.h"
#include "cli/recording_text.h"
#include "cli/rows_text.h"
#include "cli/show.h"
#include "cli/style.h"
#include "elf/demangle_hosted.h"

namespace orrery::cli {
namespace {

/// SQL over a table of the link layer: what was so by the instant. Who won and what is writable are facts of
/// objects, so they hold once these are loaded; a trouble, once its library was looked for, its symbol bound
/// or the objects there whose symbols and versions were missing.
std::string by_then(const LayerOptions& options, std::string_view table) {
  const std::string then = options.condition("event", "ticks", "time_ns");
  if (!options.instant) return options.condition();
  const auto same = [&](const std::string& other) {
    return "(SELECT 1 FROM " + other + " WHERE (" + other + ".process, " + other + ".program) = (" +
           std::string(table) + ".process, " + std::string(table) + ".program) AND " + then;
  };
  const auto loaded = [&](const char* object) {
    return "EXISTS " + same("link_object") + " AND path = " + object + ")";
  };
  if (table == "link_writable") return options.condition() + " AND " + loaded("object");
  if (table == "link_interposition")
    return options.condition() + " AND " + loaded("winner") + " AND " + loaded("loser");
  if (table == "link_trouble")
    return options.condition() + " AND (EXISTS " + same("link_search") + " AND name = subject) OR EXISTS " +
           same("link_binding") +
           " AND symbol = subject) OR (kind IN ('missing symbol', 'missing version') AND EXISTS " +
           same("link_object") + ")))";
  return then;
}

/// One program's part of the report.
class LinkReport {
 public:
  LinkReport(db::Database& database, i64 process, i64 program, const LayerOptions& options,
             const Style& style)
      : database_(database),
        of_(" WHERE process = " + std::to_string(process) + " AND program = " + std::to_string(program)),
        by_then_(of_ + " AND " + options.condition("event", "ticks", "time_ns")),
        options_(options),
        style_(style) {}

  Fallible<Nothing> print() {
    TRY(print_troubles());
    TRY(print_objects());
    TRY(print_bindings());
    TRY(section(
        "Looked up by the program (dlsym)",
        "SELECT symbol, scope AS 'in', coalesce(provider, 'not found') AS 'found in',"
        " coalesce(caller_line, caller_function, printf('%#x', caller)) AS 'asked by' FROM link_lookup" +
            by_then_ + " ORDER BY rowid" + (options_.all ? "" : " LIMIT 20")));
    TRY(section("Still writable once relocated",
                "SELECT object, section, kind, slots, printf('%#x', start) AS 'from', printf('%#x', end) AS"
                " 'to' FROM link_writable" +
                    of_ + " AND " + by_then(options_, "link_writable") + " ORDER BY rowid"));
    TRY(section("Defined more than once", "SELECT symbol, winner, loser, bindings FROM link_interposition" +
                                              of_ + " AND " + by_then(options_, "link_interposition") +
                                              " ORDER BY symbol, loser"));
    if (!options_.all) return Nothing{};
    TRY(print_choices());
    return print_every_binding();
  }

  /// All that a static program leaves to its start. Of a dynamic one with --all.
  Fallible<Nothing> print_choices() {
    return section("Chosen for this processor (IFUNC)",
                   "SELECT CASE symbol WHEN '' THEN '(no name)' ELSE symbol END AS symbol,"
                   " coalesce(implementation, printf('%#x', after)) AS chosen, printf('%#x', slot) AS slot,"
                   " ticks AS 'at tick', cost_ticks AS ticks FROM link_binding" +
                       by_then_ + " AND kind = 'ifunc' AND after IS NOT NULL ORDER BY rowid");
  }

 private:
  Fallible<Nothing> print_objects() {
    TRY(section(
        "Loaded",
        "SELECT object AS n, path, coalesce(rule, '') AS 'found by', coalesce(needed_by, '') AS 'needed "
        "by',"
        " CASE WHEN name_space > 0 THEN name_space ELSE '' END AS 'namespace', printf('%#x', base) AS base,"
        " CASE WHEN relro_start IS NULL THEN 'no RELRO' WHEN relro_ticks IS NULL THEN 'RELRO not applied'" +
            relro_later() + " ELSE printf('read-only at tick %d', relro_ticks) END AS relro, " + unloaded() +
            " AS unloaded FROM link_object" + by_then_ + " ORDER BY object"));
    return section("Where it looked",
                   "SELECT name, path, rule, coalesce(error, 'found') AS result FROM"
                   " link_search" +
                       by_then_ + searched() + " ORDER BY number");
  }

  Fallible<Nothing> print_bindings() {
    return section("Bindings",
                   std::string("SELECT object, sum(kind != 'lazy' AND done) AS 'at the start',"
                               " sum(kind = 'lazy' AND done) AS 'at the first call', sum(NOT done) AS ") +
                       (options_.instant ? "'not yet'" : "never") +
                       ", sum(kind = 'copy' AND done) AS copies, sum(kind = 'ifunc' AND done) AS ifuncs,"
                       " sum(CASE WHEN done THEN coalesce(cost_ticks, 0) ELSE 0 END) AS 'ticks at calls',"
                       " sum(writable) AS 'writable slots' FROM " +
                       bindings() + " GROUP BY object ORDER BY min(number)");
  }

  Fallible<Nothing> print_every_binding() {
    return section(
        "Every binding",
        "SELECT object, symbol, coalesce(version, '') AS version, kind, coalesce(provider, '-') AS provider,"
        " printf('%#x', slot) AS slot, printf('%#x', before) AS before,"
        " CASE WHEN done THEN printf('%#x', after) ELSE 'not bound' END AS after, event, ticks,"
        " cost_ticks AS cost, coalesce(caller_line, caller_function, '') AS 'called by' FROM " +
            bindings() + " ORDER BY number");
  }

  /// Those of the objects that are there, with whether they are made.
  std::string bindings() const {
    return "(SELECT *, rowid AS number, coalesce(after IS NOT NULL AND " +
           options_.condition("event", "ticks", "time_ns") + ", 0) AS done FROM link_binding" + of_ +
           (options_.instant ? " AND object IN (SELECT path FROM link_object" + by_then_ + ")" : "") + ")";
  }

  /// When each went; at an instant, only of those that are gone.
  std::string unloaded() const {
    return "CASE WHEN end_ticks IS NULL" +
           (options_.instant ? " OR NOT " + options_.instant->condition("end_event", "end_ticks", "end_ns")
                             : std::string()) +
           " THEN '' ELSE printf('at tick %d', end_ticks) END";
  }

  std::string relro_later() const {
    if (!options_.instant) return "";
    return " WHEN NOT " + options_.instant->condition("relro_event", "relro_ticks", "relro_ns") +
           " THEN 'still writable'";
  }

  /// Without --all only what failed, and what was tried for the same library.
  std::string searched() const {
    return options_.all ? "" : " AND name IN (SELECT name FROM link_search" + of_ + " AND NOT found)";
  }

  Fallible<Nothing> print_troubles() {
    db::Statement troubles =
        TRY(database_.prepare("SELECT kind, subject, words FROM link_trouble" + of_ + " AND " +
                              by_then(options_, "link_trouble") + " ORDER BY rowid"));
    while (TRY(troubles.step())) {
      const std::string kind(troubles.text(0));
      std::printf("  %s %s: %s\n", kind.starts_with("missing") ? style_.red(kind).c_str() : kind.c_str(),
                  printable(elf::demangle(std::string(troubles.text(1)).c_str())).c_str(),
                  printable(troubles.text(2)).c_str());
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
    TRY(print_rows(rows, RowFormat::report, stdout));
    return Nothing{};
  }

  db::Database& database_;
  std::string of_;
  std::string by_then_;  ///< of what has an instant
  const LayerOptions& options_;
  const Style& style_;
};

/// The programs that have begun.
std::string programs_of(const LayerOptions& options) {
  return "SELECT process, program, path, linked FROM program WHERE (process, program) IN (SELECT process,"
         " program FROM load_step WHERE " +
         options.condition("event", "start_ticks", "start_ns") +
         ") UNION SELECT process, 0, program, 'forked' FROM process WHERE executed = 0 AND parent IS NOT NULL"
         " AND " +
         options.condition() +
         " AND process IN (SELECT process FROM link_object UNION SELECT process FROM link_binding"
         " UNION SELECT process FROM link_lookup UNION SELECT process FROM link_search)"
         " ORDER BY process, program";
}

const char* linkage_words(std::string_view linked) {
  if (linked == "forked") return "goes on with its parent's program; what it linked itself:";
  if (linked == "dynamic") return "dynamic";
  return linked == "static" ? "static: no dynamic linker has a part in it"
                            : "static-pie: no dynamic linker has a part in it";
}

Fallible<Nothing> print_all(db::Database& database, const LayerOptions& options, const Style& style) {
  db::Statement programs = TRY(database.prepare(programs_of(options)));
  if (options.instant) std::printf("%s\n\n", instant_words(*options.instant).c_str());
  bool is_first = true;
  while (TRY(programs.step())) {
    if (!is_first) std::printf("\n");
    is_first = false;
    std::printf("%s\n", style.bold(printable(programs.text(2))).c_str());
    std::printf("  process #%ld, %s\n", programs.integer(0), linkage_words(programs.text(3)));
    LinkReport report(database, programs.integer(0), programs.integer(1), options, style);
    const bool is_linked = programs.text(3) == "dynamic" || programs.text(3) == "forked";
    TRY(is_linked ? report.print() : report.print_choices());
  }
  if (is_first) return Failure("no program began in that process; `orrery ps` lists the processes");
  return Nothing{};
}

/// One object: a table a key. With an instant, what was so by then.
Fallible<Nothing> print_rows_json(db::Database& database, const LayerOptions& options) {
  std::string separator = "{";
  if (options.instant) {
    separator = ",\n";
    std::printf("{\"at\": %s", instant_json(*options.instant).dump().c_str());
  }
  for (const char* table : {"link_object", "link_search", "link_binding", "link_lookup", "link_writable",
                            "link_interposition", "link_trouble"}) {
    std::printf("%s\"%s\": ", separator.c_str(), table);
    const std::string which = by_then(options, table);
    db::Statement rows = TRY(database.prepare(std::string("SELECT * FROM ") + table + " WHERE " + which));
    TRY(print_rows(rows, RowFormat::json, stdout));
    separator = ", ";
  }
  std::printf("}\n");
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  db::Database database =
      TRY(collect(options.directory,
                  {{lens_of_table("program"), lens_of_table("link_object"), lens_of_table("process")}}));
  if (!options.symbol.empty())
    return show_chain(database, options, options.symbol, Style::for_stream(session.color, STDOUT_FILENO));
  if (options.json) return print_rows_json(database, options);
  return print_all(database, options, Style::for_stream(session.color, STDOUT_FILENO));
}

}  // namespace

void add_show_link(Arguments show_command, Session& session) {
  const AddedLayer added =
      add_layer(show_command, session, "link", "What the dynamic linker searched, loaded and bound", show,
                "  orrery record -- python3 -c 'import ssl'; orrery show link\n"
                "  orrery show link --all           every search and every binding\n"
                "  orrery show link --at main       what was bound by then\n"
                "  orrery show link --symbol puts   on to the load step, the file and its build\n"
                "  orrery query \"SELECT symbol, caller, ticks FROM link_binding WHERE kind = 'lazy'\"\n");
  added.command.option("--symbol", added.options->symbol,
                       "Bindings of this symbol, with the ways on: who mapped its provider, from which file, "
                       "and which recorded build made that");
}

}  // namespace orrery::cli
