// `orrery show load`: the way from execve to main, as a timeline.
#include <unistd.h>

#include <algorithm>
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

struct Program {
  i64 process = 0, program = 0;
  std::string path, linked;
  bool has_main = false;
};

constexpr const char* kStepWords =
    "CASE step WHEN 'exec' THEN 'the kernel maps the program'"
    " WHEN 'link' THEN 'the dynamic linker starts'"
    " WHEN 'cache' THEN 'reads the cache' WHEN 'find' THEN 'looks for' WHEN 'map' THEN 'maps'"
    " WHEN 'tls' THEN 'sets up thread-local storage'"
    " WHEN 'relocate' THEN CASE WHEN object IS NULL THEN 'ends its work' ELSE 'relocates' END"
    " WHEN 'init' THEN 'initialises' WHEN 'start' THEN 'the program''s entry point' ELSE step END";

std::string milliseconds(double ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f ms", ns / 1e6);
  return text;
}

Fallible<Nothing> print_timeline(db::Database& database, const Program& program, const Style& style) {
  const std::string of = " FROM load_step WHERE process = " + std::to_string(program.process) +
                         " AND program = " + std::to_string(program.program);
  db::Statement sums = TRY(database.prepare("SELECT sum(time_ns), sum(instructions)" + of));
  TRY(sums.step());
  const double whole_ns = std::max(1.0, sums.real(0));
  const i64 instructions = sums.integer(1);
  std::printf("%s\n", style.bold(printable(program.path)).c_str());
  std::printf("  %s, process #%ld, %s and %ld instructions %s\n\n", program.linked.c_str(), program.process,
              milliseconds(whole_ns).c_str(), instructions,
              program.has_main ? "from the exec to main" : "from the exec to its end: main was not seen");
  std::printf("%s\n", style.bold("         AT        TOOK   SHARE  INSTRUCTIONS  CALLS  STEP").c_str());
  db::Statement steps = TRY(database.prepare(
      std::string("SELECT start_ns, time_ns, instructions, calls, ") + kStepWords +
      ", CASE WHEN step IN ('exec', 'start') THEN NULL ELSE object END" + of + " ORDER BY number"));
  i64 begin_ns = -1;
  while (TRY(steps.step())) {
    if (begin_ns < 0) begin_ns = steps.integer(0);
    const double took_ns = steps.real(1);
    std::printf("%8.3f ms %8.3f ms  %4.1f %%  %12ld  %5ld  %s%s%s\n",
                static_cast<double>(steps.integer(0) - begin_ns) / 1e6, took_ns / 1e6,
                100 * took_ns / whole_ns, steps.integer(2), steps.integer(3),
                std::string(steps.text(4)).c_str(), steps.is_null(5) ? "" : " ",
                printable(steps.text(5)).c_str());
  }
  return Nothing{};
}

Fallible<Nothing> print_all(db::Database& database, const LayerOptions& options, const Style& style) {
  db::Statement programs =
      TRY(database.prepare("SELECT process, program, path, linked, main_ns IS NOT NULL FROM program WHERE " +
                           options.condition() + " ORDER BY process, program"));
  bool is_first = true;
  while (TRY(programs.step())) {
    if (!is_first) std::printf("\n");
    is_first = false;
    TRY(print_timeline(database,
                       {programs.integer(0), programs.integer(1), std::string(programs.text(2)),
                        std::string(programs.text(3)), programs.integer(4) != 0},
                       style));
  }
  if (is_first) return Failure("no program began in that process; `orrery ps` lists the processes");
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  db::Database database = TRY(collect(options.directory, {{lens_of_table("load_step")}}));
  if (!options.json) return print_all(database, options, Style::for_stream(session.color, STDOUT_FILENO));
  db::Statement steps = TRY(database.prepare("SELECT * FROM load_step WHERE " + options.condition()));
  TRY(print_rows(steps, RowFormat::json, stdout));
  return Nothing{};
}

}  // namespace

void add_show_load(CLI::App& show_command, Session& session) {
  add_layer(show_command, session, "load", "From execve to main: every step with its time and instructions",
            show,
            "  orrery record -- python3 -c pass; orrery show load\n"
            "  orrery show load make-0 -p '#3'\n");
}

}  // namespace orrery::cli
