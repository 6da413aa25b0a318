// `orrery show sched`: each thread over time, what it waited for and who ended that, contended locks, and the
// critical path of a span.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/lanes.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/sched_json.h"
#include "cli/sched_rows.h"
#include "cli/show.h"
#include "cli/style.h"
#include "cli/timing_words.h"

namespace orrery::cli {
namespace {

constexpr std::size_t kLanesShown = 24;
constexpr i64 kRowsShown = 10;
constexpr std::size_t kPiecesShown = 40;

std::string time_text(i64 ns) { return human_duration(static_cast<u64>(std::max<i64>(ns, 0))); }

std::string task_text(const TaskKey& key) {
  return "#" + std::to_string(key.first) + " " + std::to_string(key.second);
}

struct Report {
  const LayerOptions& options;
  db::Database& database;
  const TaskHistory& history;
  const Style& style;
  i64 from_ns, to_ns;

  /// Rows of a table with these columns that touch the span.
  std::string in_span(const char* begin, const char* end) const {
    return options.condition() + " AND " + end + " >= " + std::to_string(from_ns) + " AND " + begin +
           " <= " + std::to_string(to_ns);
  }
  std::string limit() const { return options.all ? "" : " LIMIT " + std::to_string(kRowsShown); }
};

std::size_t lane_columns(std::size_t before) {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 60;
  const std::size_t columns = known ? size.ws_col : 110;
  return columns > before + 20 ? columns - before - 1 : 20;
}

/// Threads of which most is to be seen: those that ran or were ready longest, in the order of their
/// beginning.
std::vector<const TaskLane*> chosen_lanes(const Report& report) {
  std::vector<const TaskLane*> lanes;
  for (const TaskLane& lane : report.history.lanes)
    if (lane.begin_ns <= report.to_ns && lane.end_ns >= report.from_ns) lanes.push_back(&lane);
  if (report.options.all || lanes.size() <= kLanesShown) return lanes;
  std::vector<const TaskLane*> busiest = lanes;
  std::sort(busiest.begin(), busiest.end(), [](const TaskLane* left, const TaskLane* right) {
    return left->running_ns + left->ready_ns > right->running_ns + right->ready_ns;
  });
  const i64 least = busiest[kLanesShown - 1]->running_ns + busiest[kLanesShown - 1]->ready_ns;
  std::erase_if(lanes, [&](const TaskLane* lane) { return lane->running_ns + lane->ready_ns < least; });
  if (lanes.size() > kLanesShown) lanes.resize(kLanesShown);
  return lanes;
}

void print_lanes(const Report& report) {
  const std::vector<const TaskLane*> lanes = chosen_lanes(report);
  constexpr int kNameWidth = 30;
  LanePainter painter(report.from_ns, report.to_ns, lane_columns(kNameWidth + 1), report.style);
  std::printf("\n%-*s %s\n", kNameWidth, "", report.style.dim(painter.axis()).c_str());
  for (const TaskLane* lane : lanes) {
    std::string name = task_text(lane->key) + " " + printable(lane->name);
    if (name.size() > kNameWidth) name.resize(kNameWidth);
    std::printf("%-*s %s\n", kNameWidth, name.c_str(), painter.paint(*lane).c_str());
  }
  if (lanes.size() < report.history.lanes.size())
    std::printf("%s\n", report.style
                            .dim("and " + std::to_string(report.history.lanes.size() - lanes.size()) +
                                 " more threads: --all")
                            .c_str());
  std::printf("%-*s %s\n", kNameWidth, "", report.style.dim(painter.legend()).c_str());
}

void print_threads(const Report& report) {
  std::printf("\n%s\n",
              report.style
                  .bold("THREAD                           RUNNING     READY   BLOCKED   WAITS  QUANTA  "
                        "YIELDS  NAME")
                  .c_str());
  for (const TaskLane* lane : chosen_lanes(report))
    std::printf("%-28s  %9s %9s %9s  %6ld  %6ld  %6ld  %s\n", task_text(lane->key).c_str(),
                time_text(lane->running_ns).c_str(), time_text(lane->ready_ns).c_str(),
                time_text(lane->blocked_ns).c_str(), lane->blocks, lane->quanta, lane->yields,
                printable(lane->name).c_str());
}

/// What a switch costs the thread: how long it was ready until it ran again.
Fallible<Nothing> print_switches(const Report& report) {
  db::Statement rows = TRY(report.database.prepare(
      "SELECT kind, sum(turns), sum(delay), max(delay / turns) FROM (SELECT ending AS kind, state, turns,"
      " CASE lead(state) OVER lane WHEN 'ready' THEN lead(end_ns - begin_ns) OVER lane"
      " WHEN 'blocked' THEN CASE lead(state, 2) OVER lane WHEN 'ready' THEN lead(end_ns - begin_ns, 2) OVER "
      "lane"
      " ELSE 0 END ELSE 0 END AS delay FROM task_stretch WHERE " +
      report.in_span("begin_ns", "end_ns") +
      " WINDOW lane AS (PARTITION BY process, task ORDER BY begin_ns, end_ns)) WHERE state = 'running' AND "
      "kind <> ''"
      " GROUP BY kind ORDER BY 2 DESC"));
  bool is_first = true;
  while (TRY(rows.step())) {
    if (is_first)
      std::printf("\n%s\n",
                  report.style.bold("SWITCHES                NUMBER   READY UNTIL IT RAN   LONGEST").c_str());
    is_first = false;
    std::printf("%-20s %9ld   %18s %9s\n", std::string(rows.text(0)).c_str(), rows.integer(1),
                time_text(rows.integer(2)).c_str(), time_text(rows.integer(3)).c_str());
  }
  return Nothing{};
}

Fallible<Nothing> print_waits(const Report& report) {
  db::Statement rows =
      TRY(report.database.prepare("SELECT reason, coalesce(object, ''), count(*), sum(end_ns - begin_ns) AS "
                                  "total, max(end_ns - begin_ns), "
                                  "call FROM task_stretch WHERE state = 'blocked' AND " +
                                  report.in_span("begin_ns", "end_ns") +
                                  " GROUP BY reason, object, call ORDER BY total DESC" + report.limit()));
  bool is_first = true;
  while (TRY(rows.step())) {
    if (is_first)
      std::printf("\n%s\n",
                  report.style.bold("WAITED FOR        TIMES      TOTAL    LONGEST  IN               OBJECT")
                      .c_str());
    is_first = false;
    std::printf("%-12s  %9ld  %9s  %9s  %-16s %s\n", std::string(rows.text(0)).c_str(), rows.integer(2),
                time_text(rows.integer(3)).c_str(), time_text(rows.integer(4)).c_str(),
                std::string(rows.text(5)).c_str(), printable(rows.text(1)).c_str());
  }
  return Nothing{};
}

Fallible<Nothing> print_lock_stacks(const Report& report, i64 process, i64 address) {
  db::Statement rows =
      TRY(report.database.prepare("SELECT l.task, l.end_ns - l.begin_ns, l.begin_ns, l.stack, l.owner, "
                                  "l.owner_stack, w.by_process, w.by_task, w.how FROM lock_wait l "
                                  "LEFT JOIN wakeup w ON w.process = l.process AND w.task = l.task "
                                  "AND w.time_ns = l.end_ns WHERE l.process = ? "
                                  "AND l.address = ? ORDER BY 2 DESC LIMIT 1"));
  rows.bind(1, process);
  rows.bind(2, address);
  if (!TRY(rows.step())) return Nothing{};
  std::printf("    longest: %ld at %s", rows.integer(0), time_text(rows.integer(2)).c_str());
  if (!rows.text(3).empty()) std::printf(" in %s", printable(rows.text(3)).c_str());
  std::printf("\n");
  if (!rows.is_null(4))
    std::printf("    held by: %ld%s%s\n", rows.integer(4), rows.text(5).empty() ? "" : " in ",
                printable(rows.text(5)).c_str());
  if (!rows.is_null(6) && (rows.is_null(4) || rows.integer(7) != rows.integer(4)))
    std::printf("    woken by: %s by %s\n", task_text({rows.integer(6), rows.integer(7)}).c_str(),
                std::string(rows.text(8)).c_str());
  return Nothing{};
}

Fallible<Nothing> print_locks(const Report& report) {
  db::Statement rows = TRY(report.database.prepare(
      "SELECT process, address, name, reason, waits, total_ns, longest_ns, waiters FROM lock_contention "
      "WHERE "
      "reason <> 'thread' AND " +
      report.options.condition() + " ORDER BY reason = 'lock' DESC, total_ns DESC" + report.limit()));
  bool is_first = true;
  while (TRY(rows.step())) {
    if (is_first)
      std::printf("\n%s\n",
                  report.style.bold("LOCKS       WAITS  THREADS      TOTAL    LONGEST  FUTEX").c_str());
    is_first = false;
    std::printf("%-9s %7ld  %7ld  %9s  %9s  #%ld %s\n", std::string(rows.text(3)).c_str(), rows.integer(4),
                rows.integer(7), time_text(rows.integer(5)).c_str(), time_text(rows.integer(6)).c_str(),
                rows.integer(0), report.style.bold(printable(rows.text(2))).c_str());
    TRY(print_lock_stacks(report, rows.integer(0), rows.integer(1)));
  }
  return Nothing{};
}

Fallible<Nothing> print_wakes(const Report& report) {
  db::Statement rows = TRY(report.database.prepare(
      "SELECT by_process, by_task, process, task, how, count(*) FROM wakeup WHERE how <> 'made' AND " +
      report.in_span("time_ns", "time_ns") + " GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 2, 3, 4" +
      report.limit()));
  bool is_first = true;
  while (TRY(rows.step())) {
    if (is_first) std::printf("\n%s\n", report.style.bold("WOKE      TIMES  BY").c_str());
    is_first = false;
    std::printf("%15ld  %s -> %s by %s\n", rows.integer(5),
                task_text({rows.integer(0), rows.integer(1)}).c_str(),
                task_text({rows.integer(2), rows.integer(3)}).c_str(), std::string(rows.text(4)).c_str());
  }
  return Nothing{};
}

/// "pipe (file 3), its reading end (read)": an object that says what it is needs no other word for it.
std::string reason_words(const std::string& reason, const std::string& object, const std::string& call) {
  std::string words = object.starts_with(reason) ? "" : reason;
  if (!object.empty()) words += (words.empty() ? "" : " ") + printable(object);
  return call.empty() ? words : words + " (" + call + ")";
}

/// What every thread was doing at the instant, and who was to wake it.
void print_instant(const Report& report) {
  const i64 now = static_cast<i64>(report.options.instant->at.time_ns);
  std::printf("%s\n\n%s\n", instant_words(*report.options.instant).c_str(),
              report.style.bold("THREAD                    STATE      SINCE      FOR      REASON").c_str());
  for (const TaskLane& lane : report.history.lanes) {
    if (lane.begin_ns > now || lane.end_ns < now) continue;
    const auto at = std::find_if(lane.stretches.begin(), lane.stretches.end(), [&](const TaskStretch& each) {
      return each.begin_ns <= now && now < each.end_ns;
    });
    if (at == lane.stretches.end()) continue;
    std::string why = reason_words(at->reason, at->object, at->call);
    if (at->owner && at->reason == "lock") why += ", held by " + std::to_string(*at->owner);
    const auto wake = report.history.wakes.find({lane.key, at->end_ns});
    if (at->state == "blocked" && wake != report.history.wakes.end())
      why += "; woken " + time_text(at->end_ns - now) + " later by " + task_text(wake->second.by);
    std::printf("%-25s %-8s %9s %9s  %s\n", task_text(lane.key).c_str(), at->state.c_str(),
                time_text(at->begin_ns).c_str(), time_text(now - at->begin_ns).c_str(), why.c_str());
  }
}

std::string piece_words(const PathPiece& piece) {
  const std::string reason = reason_words(piece.reason, piece.object, piece.call);
  return reason.empty() ? piece.what : piece.what + ": " + reason;
}

/// How the next piece came to run.
std::string wake_words(const std::string& how) {
  if (how == "made") return "makes the thread";
  if (how == "fork") return "forks the process";
  return how + " wakes";
}

void print_path(const Report& report, const std::vector<PathPiece>& path) {
  std::map<std::string, i64> sums;
  i64 total = 0;
  for (const PathPiece& each : path) {
    sums[each.what == "blocked" ? "blocked for " + each.reason : each.what] += each.end_ns - each.begin_ns;
    total += each.end_ns - each.begin_ns;
  }
  std::printf("%s %s, %zu pieces:", report.style.bold("CRITICAL PATH").c_str(), time_text(total).c_str(),
              path.size());
  std::vector<std::pair<i64, std::string>> order;
  for (const auto& [what, ns] : sums) order.emplace_back(ns, what);
  std::sort(order.rbegin(), order.rend());
  for (const auto& [ns, what] : order)
    std::printf(" %s %s (%.0f %%)", time_text(ns).c_str(), what.c_str(),
                100.0 * static_cast<double>(ns) / static_cast<double>(std::max<i64>(total, 1)));
  std::printf("\n\n%s\n",
              report.style.bold("        FROM        FOR  THREAD                    WHAT").c_str());
  const std::size_t shown = report.options.all ? path.size() : std::min(path.size(), kPiecesShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const PathPiece& each = path[i];
    if (i > 0 && !path[i - 1].woken_how.empty())
      std::printf(
          "%s\n",
          report.style.cyan("                         └ " + wake_words(path[i - 1].woken_how)).c_str());
    std::printf("%12s  %9s  %-25s %s\n", milliseconds(static_cast<double>(each.begin_ns)).c_str(),
                time_text(each.end_ns - each.begin_ns).c_str(), task_text(each.task).c_str(),
                piece_words(each).c_str());
  }
  if (shown < path.size())
    std::printf("%s\n",
                report.style.dim("and " + std::to_string(path.size() - shown) + " more: --all").c_str());
}

/// The thread whose path is asked for: the chosen one, else the first of the processes that are shown.
Fallible<TaskKey> last_of_path(const Report& report) {
  if (report.history.lanes.empty()) return Failure("no thread ran there; `orrery ps` lists the processes");
  if (report.options.task == 0) return report.history.lanes.front().key;
  for (const TaskLane& lane : report.history.lanes)
    if (lane.key.second == report.options.task) return lane.key;
  return Failure("there is no thread " + std::to_string(report.options.task));
}

Fallible<i64> time_of(const LayerOptions& options, const std::string& word, i64 otherwise) {
  if (word.empty()) return otherwise;
  const auto instant = TRY(find_instant(options.directory, word, options.processes));
  return static_cast<i64>(instant.at.time_ns);
}

Fallible<Nothing> print_all(const Report& report) {
  std::size_t processes = 0;
  i64 before = -1;
  for (const TaskLane& lane : report.history.lanes) {
    processes += lane.key.first != before ? 1 : 0;
    before = lane.key.first;
  }
  std::printf("%zu process%s, %zu thread%s, %s to %s\n", processes, processes == 1 ? "" : "es",
              report.history.lanes.size(), report.history.lanes.size() == 1 ? "" : "s",
              time_text(report.from_ns).c_str(), time_text(report.to_ns).c_str());
  TRY(print_timing(report.options.directory, report.style));
  print_lanes(report);
  print_threads(report);
  TRY(print_switches(report));
  TRY(print_waits(report));
  TRY(print_locks(report));
  return print_wakes(report);
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  db::Database database =
      TRY(collect(options.directory, {{lens_of_table("process"), lens_of_table("task_stretch")}}));
  const TaskHistory history = TRY(read_history(database, options));
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  Report report{options, database, history, style, 0, 0};
  i64 first_ns = history.end_ns;
  for (const TaskLane& lane : history.lanes) first_ns = std::min(first_ns, lane.begin_ns);
  report.from_ns = TRY(time_of(options, options.from, first_ns));
  report.to_ns = TRY(time_of(options, options.to, history.end_ns));
  if (report.to_ns <= report.from_ns) return Failure("the span is empty: --to lies before --from");
  std::vector<PathPiece> path;
  if (options.path) path = critical_path(history, TRY(last_of_path(report)), report.from_ns, report.to_ns);
  if (options.json) return print_sched_json(database, options, path);
  if (options.instant) {
    print_instant(report);
    return Nothing{};
  }
  if (!options.path) return print_all(report);
  print_path(report, path);
  return Nothing{};
}

}  // namespace

void add_show_sched(Arguments show_command, Session& session) {
  const AddedLayer added =
      add_layer(show_command, session, "sched",
                "Threads over time: running, ready, blocked and why, who woke whom, contended locks", show,
                "  orrery show sched\n"
                "  orrery show sched --at 1.5s      what every thread was doing then\n"
                "  orrery show sched --path         what the end had to wait for, backwards over the wakes\n"
                "  orrery show sched --from main --to 80% --all\n");
  added.command.option("--from", added.options->from, "The span begins there").type_name("INSTANT");
  added.command.option("--to", added.options->to, "The span ends there").type_name("INSTANT");
  added.command.flag("--path", added.options->path, "The critical path of the span");
  added.command.option("-t,--task", added.options->task, "At whose end the path begins, going backwards")
      .type_name("TID");
}

}  // namespace orrery::cli
