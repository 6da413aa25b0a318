// `orrery show io`: open files with what went through them, connections, and the longest waits.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/rows_json.h"
#include "cli/rows_text.h"
#include "cli/show.h"
#include "cli/style.h"
#include "cli/timing_words.h"

namespace orrery::cli {
namespace {

constexpr i64 kShownMost = 25;

/// Files that are read at every start and tell nothing of the program.
constexpr const char* kUsual =
    "(name LIKE '%.so' OR name LIKE '%.so.%' OR name LIKE '/etc/ld.so%' OR name LIKE '%/locale/%')";

std::string bytes_text(i64 bytes) { return human_bytes(static_cast<u64>(bytes)); }
std::string time_text(i64 ns) { return milliseconds(static_cast<double>(ns)); }

std::string limit(const LayerOptions& options) {
  return options.all ? "" : " LIMIT " + std::to_string(kShownMost);
}

/// The rows that an instant leaves: files that were opened by then.
std::string opened(const LayerOptions& options) {
  return options.instant ? options.condition("event", "ticks", "opened_ns") : options.condition();
}

Fallible<i64> count_of(db::Database& database, const std::string& sql) {
  db::Statement statement = TRY(database.prepare(sql));
  TRY(statement.step());
  return statement.integer(0);
}

Fallible<Nothing> print_head(db::Database& database, const LayerOptions& options) {
  db::Statement sums =
      TRY(database.prepare("SELECT count(*), coalesce(sum(bytes_read), 0), coalesce(sum(bytes_written), 0), "
                           "coalesce(sum(waited_ns), 0)"
                           " FROM open_file WHERE " +
                           opened(options)));
  TRY(sums.step());
  std::printf("%ld open files, %s in, %s out, %s of waiting in calls on them\n", sums.integer(0),
              bytes_text(sums.integer(1)).c_str(), bytes_text(sums.integer(2)).c_str(),
              time_text(sums.integer(3)).c_str());
  return Nothing{};
}

Fallible<Nothing> print_files(db::Database& database, const LayerOptions& options, const Style& style) {
  const std::string of = " FROM open_file WHERE " + opened(options) +
                         (options.all ? "" : std::string(" AND NOT (kind = 'file' AND ") + kUsual + ")");
  db::Statement files = TRY(database.prepare(
      "SELECT file, process, kind, name, bytes_read, bytes_written, reads + writes, failures, waited_ns" +
      of + " ORDER BY bytes_read + bytes_written DESC, waited_ns DESC, file" + limit(options)));
  std::printf("\n%s\n",
              style.bold("      IN       OUT    CALLS  FAILED        WAITED  PROCESS  FILE").c_str());
  i64 shown = 0;
  for (; TRY(files.step()); ++shown) {
    const std::string name = printable(files.text(3));
    std::printf("%8s  %8s  %7ld %7ld  %12s  %7s  %s%s%s\n", bytes_text(files.integer(4)).c_str(),
                bytes_text(files.integer(5)).c_str(), files.integer(6), files.integer(7),
                time_text(files.integer(8)).c_str(), ("#" + std::to_string(files.integer(1))).c_str(),
                std::string(files.text(2)).c_str(), name.empty() ? "" : " ", name.c_str());
  }
  const i64 all = TRY(count_of(database, "SELECT count(*) FROM open_file WHERE " + opened(options)));
  if (shown < all)
    std::printf("%s\n", style.dim("and " + std::to_string(all - shown) + " more: --all").c_str());
  return Nothing{};
}

Fallible<Nothing> print_connections(db::Database& database, const LayerOptions& options, const Style& style) {
  db::Statement rows = TRY(database.prepare(
      "SELECT process, how, kind, local, peer, connected_ns, coalesce(closed_ns, 0), bytes_in, bytes_out, "
      "waited_ns FROM connection WHERE " +
      options.condition() + " ORDER BY bytes_in + bytes_out DESC, file" + limit(options)));
  for (bool is_first = true; TRY(rows.step()); is_first = false) {
    if (is_first)
      std::printf(
          "\n%s\n",
          style.bold("      IN       OUT           AT          OPEN        WAITED  CONNECTION").c_str());
    const i64 closed_ns = rows.integer(6);
    std::printf("%8s  %8s %12s  %12s  %12s  #%ld %s %s %s%s%s\n", bytes_text(rows.integer(7)).c_str(),
                bytes_text(rows.integer(8)).c_str(), time_text(rows.integer(5)).c_str(),
                closed_ns == 0 ? "to the end" : time_text(closed_ns - rows.integer(5)).c_str(),
                time_text(rows.integer(9)).c_str(), rows.integer(0), std::string(rows.text(1)).c_str(),
                std::string(rows.text(2)).c_str(), printable(rows.text(3)).c_str(),
                rows.text(3).empty() ? "" : " ", printable(rows.text(4)).c_str());
  }
  return Nothing{};
}

/// SQL: a descriptor's life at the instant.
std::string held_then(const LayerOptions& options) {
  return options.condition("begin_event", "begin_ticks", "begin_ns") + " AND NOT " +
         options.instant->condition("end_event", "end_ticks", "end_ns");
}

/// The descriptors as they were at the instant.
Fallible<Nothing> print_descriptors(db::Database& database, const LayerOptions& options, const Style& style) {
  db::Statement rows = TRY(database.prepare(
      "SELECT process, fd, kind, name, origin, begin_ns FROM (SELECT d.*, kind, name FROM descriptor d"
      " JOIN (SELECT file, kind, name FROM open_file) USING (file)) WHERE " +
      held_then(options) + " ORDER BY 1, 2"));
  std::printf("\n%s\n", style.bold("PROCESS   FD  SINCE          HOW         FILE").c_str());
  while (TRY(rows.step()))
    std::printf("%7s %4ld  %-13s  %-10s  %s %s\n", ("#" + std::to_string(rows.integer(0))).c_str(),
                rows.integer(1), time_text(rows.integer(5)).c_str(), std::string(rows.text(4)).c_str(),
                std::string(rows.text(2)).c_str(), printable(rows.text(3)).c_str());
  return Nothing{};
}

// --- requests ---

struct ShareColumn {
  const char* column;
  char letter;
};
constexpr ShareColumn kShares[] = {{"queue", 'q'},   {"cpu", 'c'},   {"lock", 'L'}, {"disk", 'd'},
                                   {"network", 'n'}, {"sched", '~'}, {"other", 'o'}};

/// The latency as a bar of letters, each for its share.
std::string share_bar(const db::Statement& row, int first_column, i64 latency_ns) {
  constexpr i64 kWidth = 30;
  std::string bar;
  i64 so_far = 0;
  for (std::size_t i = 0; i < std::size(kShares); ++i) {
    so_far += row.integer(first_column + static_cast<int>(i));
    const auto end = static_cast<std::size_t>(so_far * kWidth / std::max<i64>(latency_ns, 1));
    if (end > bar.size()) bar.append(end - bar.size(), kShares[i].letter);
  }
  return bar;
}

Fallible<Nothing> print_servers(db::Database& database, const LayerOptions& options, const Style& style) {
  db::Statement rows = TRY(database.prepare(
      "SELECT process, requests, mean_ns, median_ns, p90_ns, p99_ns, longest_ns FROM server WHERE " +
      options.condition() + " ORDER BY requests DESC, process"));
  std::printf(
      "%s\n",
      style.bold("SERVER    REQUESTS       MEAN     MEDIAN       90 %       99 %    LONGEST").c_str());
  const auto duration = [&](int column) { return human_duration(static_cast<u64>(rows.integer(column))); };
  bool any = false;
  for (; TRY(rows.step()); any = true)
    std::printf("%-8s %9ld  %9s  %9s  %9s  %9s  %9s\n", ("#" + std::to_string(rows.integer(0))).c_str(),
                rows.integer(1), duration(2).c_str(), duration(3).c_str(), duration(4).c_str(),
                duration(5).c_str(), duration(6).c_str());
  if (!any)
    return Failure("no connection was accepted and answered there; `orrery show io` lists what there was");
  return Nothing{};
}

Fallible<Nothing> print_slowest(db::Database& database, const LayerOptions& options, const Style& style) {
  std::printf("\n");
  TRY(print_servers(database, options, style));
  std::string shares;
  for (const ShareColumn& each : kShares) shares += std::string(each.column) + "_ns, ";
  db::Statement rows =
      TRY(database.prepare("SELECT " + shares +
                           "latency_ns, arrived_ns, process, task, event, peer, bytes_in, bytes_out "
                           "FROM request WHERE " +
                           options.condition("event", "0", "arrived_ns") + " ORDER BY rank LIMIT " +
                           std::to_string(options.slowest)));
  constexpr int kAfter = static_cast<int>(std::size(kShares));
  std::printf("\n%s\n",
              style.bold("  LATENCY           AT  WHERE THE TIME WENT             REQUEST").c_str());
  while (TRY(rows.step())) {
    const i64 latency_ns = rows.integer(kAfter);
    std::printf("%9s %12s  %-30s  #%ld thread %ld event %ld, %s in, %s out%s%s\n        ",
                human_duration(static_cast<u64>(latency_ns)).c_str(),
                time_text(rows.integer(kAfter + 1)).c_str(),
                style.cyan(share_bar(rows, 0, latency_ns)).c_str(), rows.integer(kAfter + 2),
                rows.integer(kAfter + 3), rows.integer(kAfter + 4),
                bytes_text(rows.integer(kAfter + 6)).c_str(), bytes_text(rows.integer(kAfter + 7)).c_str(),
                rows.text(kAfter + 5).empty() ? "" : ", of ", printable(rows.text(kAfter + 5)).c_str());
    std::string parts;
    for (std::size_t i = 0; i < std::size(kShares); ++i)
      if (const i64 ns = rows.integer(static_cast<int>(i)); ns * 100 >= latency_ns)
        parts += std::string(parts.empty() ? "" : ", ") + kShares[i].letter + " " + kShares[i].column + " " +
                 human_duration(static_cast<u64>(ns));
    std::printf("%23s %s\n", "", style.dim(parts).c_str());
  }
  return Nothing{};
}

Fallible<Nothing> show_slowest(const LayerOptions& options, const Session& session) {
  db::Database database =
      TRY(collect(options.directory, {{lens_of_table("request"), lens_of_table("process")}}));
  if (options.json) {
    nlohmann::ordered_json document;
    document["recording"] = TRY(timing_json(options.directory));
    document["servers"] =
        TRY(rows_json(database, "SELECT * FROM server WHERE " + options.condition() + " ORDER BY process"));
    document["requests"] = TRY(
        rows_json(database, "SELECT * FROM request WHERE " + options.condition("event", "0", "arrived_ns") +
                                " ORDER BY rank LIMIT " + std::to_string(options.slowest)));
    print_json(document);
    return Nothing{};
  }
  TRY(print_timing(options.directory, Style::for_stream(session.color, STDOUT_FILENO)));
  return print_slowest(database, options, Style::for_stream(session.color, STDOUT_FILENO));
}

/// Every call as strace -f -ttt -T would have it, in the order of their ends.
Fallible<Nothing> show_calls(const LayerOptions& options) {
  db::Database database = TRY(collect(options.directory, {{lens_of_table("call")}}));
  const std::string of = " FROM call WHERE " + options.condition("event", "ticks", "time_ns") +
                         " ORDER BY time_ns, process, number";
  if (options.json) {
    db::Statement all = TRY(database.prepare("SELECT *" + of));
    TRY(print_rows(all, RowFormat::json, stdout));
    return Nothing{};
  }
  db::Statement rows = TRY(database.prepare("SELECT process, task, event, time_ns, waited_ns, text" + of));
  std::printf("PROCESS      TASK     EVENT          TIME  CALL <SECONDS IN IT>\n");
  while (TRY(rows.step())) {
    const i64 waited_ns = rows.integer(4);
    std::printf("%7s %9ld %9ld %13.6f  %s", ("#" + std::to_string(rows.integer(0))).c_str(), rows.integer(1),
                rows.integer(2), static_cast<double>(rows.integer(3)) / 1e9, printable(rows.text(5)).c_str());
    if (waited_ns > 0) std::printf(" <%.6f>", static_cast<double>(waited_ns) / 1e9);
    std::printf("\n");
  }
  return Nothing{};
}

/// With an instant the descriptors then, and what was opened by then.
Fallible<Nothing> print_document(db::Database& database, const LayerOptions& options) {
  nlohmann::ordered_json document;
  document["recording"] = TRY(timing_json(options.directory));
  if (options.instant) {
    document["instant"] = instant_json(*options.instant);
    document["descriptors"] = TRY(rows_json(
        database, "SELECT * FROM descriptor WHERE " + held_then(options) + " ORDER BY process, fd"));
  }
  document["files"] =
      TRY(rows_json(database, "SELECT * FROM open_file WHERE " + opened(options) + " ORDER BY file"));
  document["connections"] =
      TRY(rows_json(database, "SELECT * FROM connection WHERE file IN (SELECT file FROM open_file WHERE " +
                                  opened(options) + ") ORDER BY file"));
  print_json(document);
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  if (options.calls) return show_calls(options);
  if (options.slowest > 0) return show_slowest(options, session);
  db::Database database = TRY(collect(options.directory, {{lens_of_table("open_file")}}));
  if (options.json) return print_document(database, options);
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  if (options.instant) {
    std::printf("%s\n", instant_words(*options.instant).c_str());
    return print_descriptors(database, options, style);
  }
  TRY(print_head(database, options));
  TRY(print_files(database, options, style));
  return print_connections(database, options, style);
}

}  // namespace

void add_show_io(Arguments show_command, Session& session) {
  const AddedLayer added =
      add_layer(show_command, session, "io",
                "Open files, bytes, waits, connections; with --at the descriptors then", show,
                "  orrery show io\n"
                "  orrery show io redis-server-0 --all\n"
                "  orrery show io --at crash\n"
                "  orrery show io --calls            every system call, as strace writes it\n"
                "  orrery show io --slowest 10       the slowest requests, and where their time went\n");
  added.command.flag("--calls", added.options->calls, "Every system call with its time, as strace -f -T");
  added.command.option("--slowest", added.options->slowest, "The N slowest requests; 10 if N is left out")
      .words(0, 1)
      .bare_value("10")
      .type_name("N");
}

}  // namespace orrery::cli
