// `orrery show pages`: which memory a program touched, by what it is for.
#include <unistd.h>

#include <cstdio>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/rows_text.h"
#include "cli/show.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

std::string condition(const LayerOptions& options) { return options.condition("event", "ticks", "time_ns"); }

/// The file where there is one, or else the meaning alone.
constexpr const char* kGroups =
    "SELECT meaning, object, count(*), sum(is_read), sum(is_written), sum(is_executed), sum(by_kernel), "
    "min(time_ns),"
    " min(instructions) FROM page";

Fallible<Nothing> print_program(db::Database& database, const LayerOptions& options, i64 process, i64 program,
                                const Style& style) {
  const std::string of = " WHERE process = " + std::to_string(process) +
                         " AND program = " + std::to_string(program) + " AND " + condition(options);
  db::Statement sums =
      TRY(database.prepare("SELECT count(*), sum(object IS NOT NULL AND meaning <> 'bss'), sum(is_written), "
                           "sum(by_kernel) FROM page" +
                           of));
  TRY(sums.step());
  std::printf(
      "%s\n",
      style.bold("process #" + std::to_string(process) + ", program " + std::to_string(program)).c_str());
  std::printf(
      "  %ld pages touched (%ld KiB): %ld of files, %ld without; %ld written; %ld first by the kernel\n\n",
      sums.integer(0), sums.integer(0) * 4, sums.integer(1), sums.integer(0) - sums.integer(1),
      sums.integer(2), sums.integer(3));
  std::printf(
      "%s\n",
      style.bold("  PAGES   READ  WRITTEN  EXECUTED  KERNEL      FIRST AT  INSTRUCTIONS  MEANING      OBJECT")
          .c_str());
  db::Statement groups =
      TRY(database.prepare(kGroups + of + " GROUP BY meaning, object ORDER BY min(instructions), min(page)"));
  while (TRY(groups.step()))
    std::printf("%7ld %6ld  %7ld  %8ld %7ld  %9.3f ms  %12ld  %-11s  %s\n", groups.integer(2),
                groups.integer(3), groups.integer(4), groups.integer(5), groups.integer(6),
                groups.real(7) / 1e6, groups.integer(8), std::string(groups.text(0)).c_str(),
                printable(groups.text(1)).c_str());
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  db::Database database = TRY(collect(options.directory, {{lens_of_table("page")}}));
  if (options.json || options.all) {
    db::Statement pages = TRY(database.prepare("SELECT * FROM page WHERE " + condition(options) +
                                               " ORDER BY process, program, instructions, page"));
    TRY(print_rows(pages, options.json ? RowFormat::json : RowFormat::table, stdout));
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  if (options.instant) std::printf("%s\n\n", instant_words(*options.instant).c_str());
  db::Statement programs = TRY(database.prepare("SELECT DISTINCT process, program FROM page WHERE " +
                                                condition(options) + " ORDER BY 1, 2"));
  bool is_first = true;
  while (TRY(programs.step())) {
    if (!is_first) std::printf("\n");
    is_first = false;
    TRY(print_program(database, options, programs.integer(0), programs.integer(1), style));
  }
  if (is_first) return Failure("no memory was touched there; `orrery ps` lists the processes");
  return Nothing{};
}

}  // namespace

void add_show_pages(Arguments show_command, Session& session) {
  add_layer(show_command, session, "pages", "Memory that was touched: pages by what they are for", show,
            "  orrery record -- python3 -c pass; orrery show pages\n"
            "  orrery show pages --at main --all\n");
}

}  // namespace orrery::cli
