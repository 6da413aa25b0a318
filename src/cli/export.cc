// `orrery export`: what the lenses found, in the formats of other tools.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>

#include "base/base_name.h"
#include "cli/at_option.h"
#include "cli/callgrind.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/export_core.h"
#include "cli/perfetto.h"
#include "cli/process_option.h"
#include "cli/profile_report.h"
#include "cli/recording_text.h"
#include "cli/rows_text.h"
#include "lens/tables.h"

namespace orrery::cli {
namespace {

struct ExportOptions {
  std::string recording;
  std::string output;  ///< "" for stdout
  bool perfetto = false, folded = false, sqlite = false;
  std::string csv_table;
  CoreOptions core;
  bool is_core = false;
  bool callgrind = false;
};

using Out = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// What a program did may be secret. Null with errno.
std::FILE* create_private(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  return fd < 0 ? nullptr : fdopen(fd, "w");
}

std::vector<const lens::Lens*> lenses_of(std::initializer_list<const char*> tables) {
  std::vector<const lens::Lens*> lenses;
  for (const char* table : tables) lenses.push_back(lens_of_table(table));
  return lenses;
}

/// A table's first column is not unique, and a process and one of its threads may have the same number:
/// tracks of threads lie above those of processes.
u64 process_track(i64 process) { return static_cast<u64>(process) + 1; }
u64 thread_track(i64 process, i64 task) {
  return (static_cast<u64>(process) + 1) << 32 | (static_cast<u64>(task) & 0xffff'ffff);
}

/// What each thread did as slices, and who woke whom as arrows.
Fallible<Nothing> write_sched(db::Database& database, PerfettoWriter& writer) {
  db::Statement stretches = TRY(database.prepare(
      "SELECT process, task, begin_ns, end_ns, state, coalesce(reason, ''), coalesce(object, ''), "
      "coalesce(call, ''), ending FROM task_stretch ORDER BY process, task, begin_ns, end_ns"));
  while (TRY(stretches.step())) {
    const std::string reason(stretches.text(5));
    const std::string name = std::string(stretches.text(4)) + (reason.empty() ? "" : ": " + reason);
    writer.slice(thread_track(stretches.integer(0), stretches.integer(1)),
                 static_cast<u64>(stretches.integer(2)), static_cast<u64>(stretches.integer(3)), name,
                 {{"object", std::string(stretches.text(6))},
                  {"call", std::string(stretches.text(7))},
                  {"ending", std::string(stretches.text(8))}});
  }
  db::Statement wakes =
      TRY(database.prepare("SELECT process, task, time_ns, by_process, by_task, by_ns, how FROM wakeup"));
  for (u64 flow = 1; TRY(wakes.step()); ++flow) {
    writer.instant(thread_track(wakes.integer(3), wakes.integer(4)), static_cast<u64>(wakes.integer(5)),
                   "wakes by " + std::string(wakes.text(6)), {}, flow);
    writer.instant(thread_track(wakes.integer(0), wakes.integer(1)), static_cast<u64>(wakes.integer(2)),
                   "woken", {}, flow);
  }
  return Nothing{};
}

/// Processes as tracks with their lifetime; system calls as instants on their threads.
Fallible<Nothing> write_perfetto(const std::string& directory, std::FILE* out) {
  db::Database database = TRY(collect(directory, lenses_of({"process", "call", "task_stretch"})));
  PerfettoWriter writer(out);
  std::map<i64, i32> pids;
  db::Statement processes = TRY(
      database.prepare("SELECT process, pid, command, start_ns, end_ns, end FROM process ORDER BY process"));
  while (TRY(processes.step())) {
    const i64 process = processes.integer(0);
    const i32 pid = static_cast<i32>(processes.integer(1));
    pids[process] = pid;
    const std::string command(processes.text(2));
    writer.process_track(process_track(process), pid, command);
    writer.slice(process_track(process), static_cast<u64>(processes.integer(3)),
                 static_cast<u64>(processes.integer(4)), command, {{"end", std::string(processes.text(5))}});
  }
  std::set<u64> known;
  db::Statement calls = TRY(database.prepare("SELECT process, task, time_ns, name, text FROM call"));
  while (TRY(calls.step())) {
    const i64 process = calls.integer(0);
    const i32 task = static_cast<i32>(calls.integer(1));
    const u64 track = thread_track(process, task);
    if (known.insert(track).second)
      writer.thread_track(track, process_track(process), pids[process], task,
                          "thread " + std::to_string(task));
    writer.instant(track, static_cast<u64>(calls.integer(2)), calls.text(3),
                   {{"call", std::string(calls.text(4))}});
  }
  return write_sched(database, writer);
}

/// One line a process: the programs from the first process down to it, and its ticks; for flame graphs.
Fallible<Nothing> write_folded(const std::string& directory, std::FILE* out) {
  db::Database database = TRY(collect(directory, lenses_of({"process"})));
  db::Statement statement =
      TRY(database.prepare("SELECT process, parent, program, pid, ticks FROM process ORDER BY process"));
  std::map<i64, std::string> stacks;
  std::map<std::string, i64> folded;
  while (TRY(statement.step())) {
    std::string name(base_name(statement.text(2)));
    if (name.empty()) name = std::string(statement.text(3));
    std::replace(name.begin(), name.end(), ';', ':');
    const std::string above = statement.is_null(1) ? "" : stacks[statement.integer(1)] + ";";
    const std::string& stack = stacks[statement.integer(0)] = above + name;
    folded[stack] += statement.integer(4);
  }
  for (const auto& [stack, ticks] : folded) std::fprintf(out, "%s %ld\n", printable(stack).c_str(), ticks);
  return Nothing{};
}

Fallible<Nothing> write_csv(const std::string& directory, const std::string& table, std::FILE* out) {
  const lens::Lens* lens = lens_of_table(table);
  if (lens == nullptr) return Failure("there is no table " + table + "; `orrery query --tables` lists them");
  db::Database database = TRY(collect(directory, {{lens}}));
  db::Statement statement = TRY(database.prepare("SELECT * FROM " + table));
  TRY(print_rows(statement, RowFormat::csv, out));
  return Nothing{};
}

/// The program that the user chose, or the first one; of a process that ran several, the last.
Fallible<Nothing> export_callgrind(const std::string& directory, const std::string& process, std::FILE* out) {
  const lens::Recording recording = TRY(lens::open_recording(directory));
  u32 number = recording.tree.empty() ? 0 : recording.tree.begin()->first;
  if (!process.empty()) {
    const std::set<u32> chosen = choose_processes(pids_of(recording.tree), process);
    if (chosen.size() != 1) return Failure("name one process by its number (see orrery ps)");
    number = *chosen.begin();
  }
  db::Database database = TRY(collect(directory, lenses_of({"profile_function", "process"})));
  const auto programs = TRY(read_profiles(database, "process = " + std::to_string(number)));
  if (programs.empty()) return Failure("nothing of that process was executed");
  db::Statement names =
      TRY(database.prepare("SELECT command, pid FROM process WHERE process = " + std::to_string(number)));
  const bool found = TRY(names.step());
  write_callgrind({.rows = programs.back(),
                   .command = found ? std::string(names.text(0)) : "",
                   .pid = found ? static_cast<i32>(names.integer(1)) : 0},
                  out);
  return Nothing{};
}

/// A database of its own, whole and compact.
Fallible<Nothing> write_sqlite(const std::string& directory, const std::string& path) {
  if (path.empty()) return Failure("a database needs a file: -o FILE");
  db::Database database = TRY(collect(directory, lens::all_lenses()));
  return database.copy_to(path);
}

Fallible<Nothing> write_file(const ExportOptions& options, const std::string& directory) {
  if (options.sqlite) return write_sqlite(directory, options.output);
  if (options.is_core) return export_core(directory, options.output, options.core);
  const bool to_terminal = options.output.empty() && options.perfetto && isatty(STDOUT_FILENO) == 1;
  if (to_terminal) return Failure("a trace for Perfetto is binary: -o FILE");
  Out out(options.output.empty() ? stdout : create_private(options.output),
          [](std::FILE* file) { return file == stdout ? std::fflush(file) : std::fclose(file); });
  if (!out) return Failure(options.output + ": " + std::strerror(errno));
  TRY(options.perfetto    ? write_perfetto(directory, out.get())
      : options.folded    ? write_folded(directory, out.get())
      : options.callgrind ? export_callgrind(directory, options.core.process, out.get())
                          : write_csv(directory, options.csv_table, out.get()));
  if (std::ferror(out.get()) != 0 || out.get_deleter()(out.release()) != 0)
    return Failure("writing " + (options.output.empty() ? "the output" : options.output) + ": " +
                   std::strerror(errno));
  return Nothing{};
}

int run_export(const ExportOptions& options) {
  const auto directory = find_recording(options.recording);
  if (!directory) return kCannotRun;
  const auto written = write_file(options, *directory);
  return written ? 0 : complain(printable(written.error().sentence));
}

}  // namespace

void add_export(Arguments app, Session& session) {
  auto options = std::make_shared<ExportOptions>();
  const Arguments command = app.command("export", "Write what was found for other tools");
  add_recording_option(command, options->recording);
  command.option("-o,--output", options->output, "The file; stdout if left out");
  const Arguments formats = command.choice("format", "What to write");
  formats.flag("--perfetto", options->perfetto,
               "A trace for ui.perfetto.dev: processes, threads, calls, waits and who ended them");
  formats.flag("--folded", options->folded, "Stacks of processes with their ticks, for flame graphs");
  formats.option("--csv", options->csv_table, "A table; `orrery query --tables` lists them");
  formats.flag("--sqlite", options->sqlite, "All tables, as a database");
  formats.flag("--callgrind", options->callgrind,
               "The exact profile of a process, for KCachegrind and callgrind_annotate");
  formats.flag("--core", options->is_core, "An ELF core file of a process at an instant, for gdb");
  add_at_option(command, options->core.at);
  command.option("-p,--process", options->core.process, kProcessWords);
  command.option("--sysroot", options->core.sysroot,
                 "With --core: make this directory, with links to the recording's copies of the files");
  command.set_examples(
      "  orrery export make-0 --perfetto -o make.pftrace\n"
      "  orrery export --folded | flamegraph.pl > tree.svg\n"
      "  orrery export --csv call -o calls.csv\n"
      "  orrery export --callgrind -o callgrind.out && kcachegrind callgrind.out\n"
      "  orrery export --core --at crash -o core\n");
  command.run([options, &session] { session.exit_code = run_export(*options); });
}

}  // namespace orrery::cli
