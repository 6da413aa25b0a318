// `orrery show process`: the control block of a process at an instant, its descriptors, and the tree of
// processes; with --history how the block came to be so.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <sstream>

#include "cli/at_option.h"
#include "cli/capability_words.h"
#include "cli/collect.h"
#include "cli/command.h"
#include "cli/layer_options.h"
#include "cli/process_block.h"
#include "cli/recording_text.h"
#include "cli/rows_text.h"
#include "cli/show.h"
#include "cli/stopped_process.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTreeColumns = 40;

Fallible<Json> descriptors_json(db::Database& database, const lens::ExactInstant& instant, bool is_end) {
  const std::string then = is_end ? "end_event >= " + std::to_string(instant.at.event)
                                  : instant.condition("begin_event", "begin_ticks", "begin_ns") +
                                        " AND NOT " + instant.condition("end_event", "end_ticks", "end_ns");
  db::Statement rows =
      TRY(database.prepare("SELECT fd, kind, name, origin FROM (SELECT d.*, kind, name FROM descriptor d "
                           "JOIN (SELECT file, kind, name"
                           " FROM open_file) USING (file)) WHERE process = " +
                           std::to_string(instant.process) + " AND " + then + " ORDER BY fd"));
  Json found = Json::array();
  while (TRY(rows.step()))
    found.push_back({{"fd", rows.integer(0)},
                     {"kind", std::string(rows.text(1))},
                     {"name", std::string(rows.text(2))},
                     {"origin", std::string(rows.text(3))}});
  return found;
}

/// All processes, with what has become of them at the time.
Fallible<Json> tree_json(db::Database& database, u64 time_ns) {
  db::Statement rows = TRY(database.prepare(
      "WITH RECURSIVE tree(process, depth, path) AS (SELECT process, 0, printf('%08d', "
      "process) FROM process WHERE"
      " parent IS NULL UNION ALL SELECT p.process, depth + 1, path || printf('%08d', "
      "p.process) FROM process p JOIN"
      " tree t ON p.parent = t.process) SELECT process, parent, pid, depth, command, "
      "start_ns, end_ns, \"end\", coalesce(reaped_ns, (SELECT q.end_ns FROM process q WHERE q.process = "
      "process.parent), end_ns) FROM"
      " tree JOIN process USING (process) ORDER BY path"));
  Json found = Json::array();
  while (TRY(rows.step())) {
    const u64 start = static_cast<u64>(rows.integer(5)), end = static_cast<u64>(rows.integer(6));
    // Until its parent was told, or had ended too.
    const u64 gone = static_cast<u64>(rows.integer(8));
    const char* state = start > time_ns   ? "not yet"
                        : end > time_ns   ? "lives"
                        : gone <= time_ns ? "ended"
                                          : "zombie";
    found.push_back({{"process", rows.integer(0)},
                     {"parent", rows.is_null(1) ? Json(nullptr) : Json(rows.integer(1))},
                     {"pid", rows.integer(2)},
                     {"depth", rows.integer(3)},
                     {"command", std::string(rows.text(4))},
                     {"start_ns", start},
                     {"end_ns", end},
                     {"end", std::string(rows.text(7))},
                     {"state", state}});
  }
  return found;
}

/// 0 if it is none: the file may be damaged.
template <class Number>
Number number_of(const std::string& text, int base) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

/// What the process's own kernel does not know, or what others have changed.
Fallible<Nothing> add_inherited(db::Database& database, const lens::ExactInstant& instant, Json& json) {
  db::Statement rows = TRY(database.prepare(
      "SELECT field, value FROM process_state WHERE process = " + std::to_string(instant.process) +
      " AND field IN ('group', 'supplementary groups') AND begin_ns <= " +
      std::to_string(instant.at.time_ns) + " ORDER BY number"));
  while (TRY(rows.step())) {
    const std::string value(rows.text(1));
    if (rows.text(0) == "group") {
      json["group"] = number_of<i64>(value, 10);
      continue;
    }
    json["supplementary_groups"] = Json::array();
    for (std::istringstream words(value); !words.eof();)
      if (u32 group = 0; words >> group) json["supplementary_groups"].push_back(group);
  }
  return Nothing{};
}

/// What the first process of the recording had from who recorded it.
Fallible<Json> inherited_json(const std::string& directory) {
  const lens::Recording recording = TRY(lens::open_recording(directory));
  Json json = Json::object();
  json["cgroup"] = Json::array();
  for (const auto& [name, value] : recording.info.inherited) {
    if (name == "cgroup")
      json["cgroup"].push_back(value);
    else if (name.starts_with("Cap"))
      json["capabilities"][name] = number_of<u64>(value, 16);
    else if (name.starts_with("ns/"))
      json["namespaces"][name.substr(3)] = value;
    else if (name != "Groups")
      json[name] = number_of<i64>(value, 10);
  }
  return json;
}

void print_inherited(const Json& json, const Style& style) {
  const Json& inherited = json["at_record"];
  if (!inherited.contains("capabilities")) return;
  std::printf("\n%s\n", style.bold("  WHEN THE RECORDING BEGAN").c_str());
  for (const auto& [name, set] : inherited["capabilities"].items())
    std::printf("  %-14s %s\n", name.c_str(), capability_words(set.get<u64>()).c_str());
  for (const Json& each : inherited["cgroup"])
    std::printf("  %-14s %s\n", "cgroup", printable(each.get<std::string>()).c_str());
  std::string namespaces;
  if (inherited.contains("namespaces"))
    for (const auto& [name, value] : inherited["namespaces"].items())
      namespaces += (namespaces.empty() ? "" : " ") + value.get<std::string>();
  std::printf("  %-14s %s\n", "namespaces", printable(namespaces).c_str());
  std::printf("  %-14s oom_score_adj %ld, nice %ld\n", "", inherited.value("oom_score_adj", 0L),
              inherited.value("nice", 0L));
}

void print_descriptors(const Json& descriptors, bool all, const Style& style) {
  constexpr std::size_t kShownMost = 20;
  if (descriptors.empty()) return;
  std::printf("\n%s\n", style.bold("      FD  WHAT").c_str());
  std::size_t shown = 0;
  for (const Json& each : descriptors) {
    if (!all && shown++ == kShownMost) break;
    std::printf("  %6ld  %s %s%s\n", each["fd"].get<i64>(), each["kind"].get<std::string>().c_str(),
                printable(each["name"].get<std::string>()).c_str(),
                style.dim("  " + each["origin"].get<std::string>()).c_str());
  }
  if (!all && descriptors.size() > kShownMost)
    std::printf(
        "%s\n",
        style.dim("  and " + std::to_string(descriptors.size() - kShownMost) + " more: --all").c_str());
}

/// Each process as a bar from its start to its end; the instant is marked.
void print_tree(const Json& tree, const lens::ExactInstant& instant, const Style& style) {
  if (tree.size() < 2) return;
  u64 end = 1;
  for (const Json& each : tree) end = std::max(end, each["end_ns"].get<u64>());
  const auto column = [&](u64 time_ns) {
    return std::min<std::size_t>(kTreeColumns - 1, time_ns * kTreeColumns / end);
  };
  std::printf("\n%s\n", style.bold("  THE TREE OVER TIME                        STATE    PROCESS").c_str());
  for (const Json& each : tree) {
    const std::size_t first = column(each["start_ns"]), last = column(each["end_ns"]),
                      now = column(instant.at.time_ns);
    std::string bar;
    for (std::size_t at = 0; at < kTreeColumns; ++at)
      bar += at >= first && at <= last ? (at == now ? "┿" : "━") : at == now ? "│" : " ";
    const bool is_this = each["process"] == instant.process;
    const std::string words = std::string(each["depth"].get<std::size_t>() * 2, ' ') + "#" +
                              std::to_string(each["process"].get<i64>()) + " " +
                              printable(each["command"].get<std::string>());
    std::printf("  %s  %-7s  %s%s\n", bar.c_str(), each["state"].get<std::string>().c_str(),
                (is_this ? style.bold(words) : words).c_str(),
                style.dim("  " + printable(each["end"].get<std::string>())).c_str());
  }
}

Fallible<Nothing> show_history(const LayerOptions& options, const Session& session) {
  db::Database database = TRY(collect(options.directory, {{lens_of_table("process_state")}}));
  const std::string of =
      " FROM process_state WHERE " + options.condition("begin_event", "begin_ticks", "begin_ns") +
      (options.all || options.json ? "" : " AND call NOT IN ('start', 'exec')") + " ORDER BY process, number";
  if (options.json) {
    db::Statement rows = TRY(database.prepare("SELECT *" + of));
    TRY(print_rows(rows, RowFormat::json, stdout));
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  db::Statement rows =
      TRY(database.prepare("SELECT printf('#%d', process) AS process, task, printf('%.3f ms', begin_ns / "
                           "1e6) AS at, call, field, value" +
                           of));
  if (TRY(print_rows(rows, RowFormat::report, stdout)) == 0)
    std::printf("%s\n", style.dim("nothing was changed; --all has what it began with").c_str());
  return Nothing{};
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  if (options.history) return show_history(options, session);
  db::Database database =
      TRY(collect(options.directory,
                  {{lens_of_table("descriptor"), lens_of_table("process"), lens_of_table("process_state")}}));
  const auto stopped = TRY(stop_process(options));
  Json json = {{"at", instant_json(stopped->instant)}};
  json.update(TRY(process_block_json(*stopped->session)));
  TRY(add_inherited(database, stopped->instant, json));
  json["at_record"] = TRY(inherited_json(options.directory));
  json["descriptors"] = TRY(descriptors_json(database, stopped->instant, !options.instant));
  json["tree"] = TRY(tree_json(database, stopped->instant.at.time_ns));
  if (options.json) {
    print_json(json);
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  std::printf("%s\n\n%s\n", instant_words(stopped->instant).c_str(),
              style.bold("process #" + std::to_string(stopped->instant.process)).c_str());
  print_process_block(json, options.all, style);
  if (options.all) print_inherited(json, style);
  print_descriptors(json["descriptors"], options.all, style);
  print_tree(json["tree"], stopped->instant, style);
  return Nothing{};
}

}  // namespace

void add_show_process(Arguments show_command, Session& session) {
  const AddedLayer added = add_layer(
      show_command, session, "process",
      "The control block of a process: ids, threads, signals, limits, descriptors; the tree over time", show,
      "  orrery show process                      the first process, at its end\n"
      "  orrery show process -p '#2' --at 1.5s\n"
      "  orrery show process --history            every change of ids, masks, handlers, limits\n"
      "  orrery query \"SELECT value, call FROM process_state WHERE field = 'handler SIGTERM'\"\n");
  added.command.flag("--history", added.options->history, "What was changed, when and by which call");
}

}  // namespace orrery::cli
