// `orrery show load`: the way from execve to main, as a timeline.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/made_by.h"
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

/// SQL over load_step: whether the step is under way, which is the last that has begun, up to main.
std::string under_way(const LayerOptions& options) {
  if (!options.instant) return "0";
  const lens::ExactInstant& at = *options.instant;
  const auto of = [](const std::string& table) {
    return table + ".process = load_step.process AND " + table + ".program = load_step.program AND ";
  };
  return "(number = (SELECT max(number) FROM load_step AS other WHERE " + of("other") +
         at.condition("event", "start_ticks", "start_ns") + ") AND NOT EXISTS (SELECT 1 FROM program WHERE " +
         of("program") + at.condition("main_event", "main_ticks", "main_ns") + "))";
}

/// The rows of load_step that are shown.
std::string begun(const LayerOptions& options) {
  return options.condition("event", "start_ticks", "start_ns");
}

Fallible<Nothing> print_timeline(db::Database& database, const Program& program, const LayerOptions& options,
                                 const Style& style) {
  const std::string of = " FROM load_step WHERE process = " + std::to_string(program.process) +
                         " AND program = " + std::to_string(program.program) + " AND " + begun(options);
  db::Statement sums =
      TRY(database.prepare("SELECT sum(time_ns), sum(instructions), sum(" + under_way(options) + ")" + of));
  TRY(sums.step());
  const double whole_ns = std::max(1.0, sums.real(0));
  std::printf("%s\n", style.bold(printable(program.path)).c_str());
  std::printf("  %s, process #%ld, ", program.linked.c_str(), program.process);
  if (sums.integer(2) != 0)
    std::printf("not yet at main\n\n");
  else
    std::printf("%s and %ld instructions %s\n\n", milliseconds(whole_ns).c_str(), sums.integer(1),
                program.has_main ? "from the exec to main" : "from the exec to its end: main was not seen");
  std::printf("%s\n", style.bold("         AT        TOOK   SHARE  INSTRUCTIONS  CALLS  STEP").c_str());
  db::Statement steps =
      TRY(database.prepare(std::string("SELECT start_ns, time_ns, instructions, calls, ") + kStepWords +
                           ", CASE WHEN step IN ('exec', 'start') THEN NULL ELSE object END, " +
                           under_way(options) + of + " ORDER BY number"));
  i64 begin_ns = -1;
  while (TRY(steps.step())) {
    if (begin_ns < 0) begin_ns = steps.integer(0);
    const double took_ns = steps.real(1);
    const std::string what =
        std::string(steps.text(4)) + (steps.is_null(5) ? "" : " ") + printable(steps.text(5));
    const std::string at = milliseconds(static_cast<double>(steps.integer(0) - begin_ns));
    if (steps.integer(6) != 0)  // its figures are those of the whole step
      std::printf("%11s  %11s  %6s  %12s  %5s  %s\n", at.c_str(), "under way", "", "", "",
                  style.bold(what).c_str());
    else
      std::printf("%11s %11s  %4.1f %%  %12ld  %5ld  %s\n", at.c_str(), milliseconds(took_ns).c_str(),
                  100 * took_ns / whole_ns, steps.integer(2), steps.integer(3), what.c_str());
  }
  return Nothing{};
}

/// The files that were mapped, with the builds that made them.
Fallible<Nothing> print_files(db::Database& database, const Program& program, const std::string& directory,
                              const Style& style) {
  db::Statement objects = TRY(database.prepare(
      "SELECT path, xxh64 FROM link_object WHERE process = " + std::to_string(program.process) +
      " AND program = " + std::to_string(program.program) + " AND xxh64 IS NOT NULL ORDER BY object"));
  for (bool is_first = true; TRY(objects.step()); is_first = false) {
    if (is_first) std::printf("\n%s\n", style.bold("Files, by their hashes").c_str());
    std::printf("%s  %s\n", std::string(objects.text(1)).c_str(), printable(objects.text(0)).c_str());
    for (const MadeBy& made : find_builds(directory, std::string(objects.text(1))))
      std::printf("  made in %s: %s\n", printable(made.recording).c_str(),
                  printable(build_command(made)).c_str());
  }
  return Nothing{};
}

/// What is known of the whole run: where its parts lie, and what came in place of the vDSO.
Fallible<Nothing> print_layout(db::Database& database, const Program& program, const Style& style) {
  const std::string of = " WHERE process = " + std::to_string(program.process) +
                         " AND program = " + std::to_string(program.program);
  std::printf("\n%s\n", style.bold("Where it lies").c_str());
  db::Statement places = TRY(database.prepare(
      "SELECT part, coalesce(printf('%#x', address), 'none') AS address,"
      " CASE linux_bits WHEN 0 THEN 'not' ELSE linux_bits || ' bits' END AS 'Linux moves it by',"
      " CASE bits WHEN 0 THEN 'not' ELSE bits || ' bits' END AS 'here' FROM load_place" +
      of + " ORDER BY rowid"));
  TRY(print_rows(places, RowFormat::table, stdout));
  db::Statement calls =
      TRY(database.prepare("SELECT function, calls FROM load_vdso" + of + " ORDER BY calls DESC"));
  std::printf("\nThe program is given no vDSO");
  for (bool is_first = true; TRY(calls.step()); is_first = false)
    std::printf("%s %ld of %s", is_first ? "; system calls in its place:" : ",", calls.integer(1),
                std::string(calls.text(0)).c_str());
  std::printf(".\n");
  return Nothing{};
}

Fallible<Nothing> print_all(db::Database& database, const LayerOptions& options, const Style& style) {
  const std::string main =
      options.instant ? options.instant->condition("main_event", "main_ticks", "main_ns") : "1";
  db::Statement programs =
      TRY(database.prepare("SELECT process, program, path, linked, main_ns IS NOT NULL AND " + main +
                           " FROM program WHERE (process, program) IN"
                           " (SELECT process, program FROM load_step WHERE " +
                           begun(options) + ") ORDER BY process, program"));
  if (options.instant) std::printf("%s\n\n", instant_words(*options.instant).c_str());
  bool is_first = true;
  while (TRY(programs.step())) {
    if (!is_first) std::printf("\n");
    is_first = false;
    const Program program{programs.integer(0), programs.integer(1), std::string(programs.text(2)),
                          std::string(programs.text(3)), programs.integer(4) != 0};
    TRY(print_timeline(database, program, options, style));
    if (!options.all) continue;
    TRY(print_files(database, program, options.directory, style));
    TRY(print_layout(database, program, style));
  }
  if (is_first) return Failure("no program began in that process; `orrery ps` lists the processes");
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  std::vector<const lens::Lens*> lenses = {lens_of_table("load_step")};
  if (options.all) lenses.push_back(lens_of_table("link_object"));
  db::Database database = TRY(collect(options.directory, lenses));
  if (!options.json) return print_all(database, options, Style::for_stream(session.color, STDOUT_FILENO));
  const std::string columns = options.instant ? "*, " + under_way(options) + " AS under_way" : "*";
  db::Statement steps =
      TRY(database.prepare("SELECT " + columns + " FROM load_step WHERE " + begun(options)));
  TRY(print_rows(steps, RowFormat::json, stdout));
  return Nothing{};
}

}  // namespace

void add_show_load(Arguments show_command, Session& session) {
  add_layer(show_command, session, "load", "From execve to main: every step with its time and instructions",
            show,
            "  orrery record -- python3 -c pass; orrery show load\n"
            "  orrery show load make-0 -p '#3'\n"
            "  orrery show load --at 3ms\n"
            "  orrery show load --all          also where things lie, and what came for the vDSO\n");
}

}  // namespace orrery::cli
