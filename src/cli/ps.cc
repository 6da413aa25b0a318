// `orrery ps REC`: the process tree of a recording.
#include <cstdio>

#include "cli/command.h"
#include "cli/launch.h"
#include "cli/recording_text.h"
#include "cli/style.h"
#include "lens/lens.h"
#include "trace/recordings_hosted.h"

namespace orrery::cli {
namespace {

using lens::ProcessTree;
using lens::TreeProcess;

struct PsOptions {
  std::string recording;
  bool json = false;
};

u64 begin_of(const ProcessTree& tree) {
  u64 begin_ns = ~u64{0};
  for (const auto& [number, process] : tree)
    if (process.start_ns != 0) begin_ns = std::min(begin_ns, process.start_ns);
  return begin_ns;
}

double seconds_since(u64 begin_ns, u64 time_ns) {
  return time_ns > begin_ns ? static_cast<double>(time_ns - begin_ns) / 1e9 : 0;
}

/// Parents before their children, with the depth of each. Without recursion: a tree may be deep.
std::vector<std::pair<u32, int>> in_tree_order(const ProcessTree& tree) {
  std::vector<std::pair<u32, int>> order, left;
  for (auto process = tree.rbegin(); process != tree.rend(); ++process)
    if (!process->second.parent) left.emplace_back(process->first, 0);
  while (!left.empty()) {
    const auto [number, depth] = left.back();
    left.pop_back();
    order.emplace_back(number, depth);
    const std::vector<u32>& children = tree.at(number).children;
    for (auto child = children.rbegin(); child != children.rend(); ++child)
      left.emplace_back(*child, depth + 1);
  }
  return order;
}

std::string command_words(const TreeProcess& process) {
  const std::string words =
      process.arguments.empty() ? printable(process.program) : shell_words(process.arguments);
  if (words.empty()) return "?";
  return process.executed ? words : "(" + words + ")";
}

void print_table(const ProcessTree& tree, const Style& style) {
  constexpr int kIndentMost = 20;
  const u64 begin_ns = begin_of(tree);
  std::printf(
      "%s\n",
      style.bold("   #      PID     PPID     EVENTS       START         END  ENDED             COMMAND")
          .c_str());
  for (const auto& [number, depth] : in_tree_order(tree)) {
    const TreeProcess& process = tree.at(number);
    const std::string end = lens::end_words(process);
    std::string ended = end;
    ended.resize(std::max<std::size_t>(ended.size(), 16), ' ');
    const bool good = process.exit_status == 0 || end == "native";
    std::printf("%4u %8d %8d %10lu %11.6f %11.6f  %s  %*s%s\n", number, process.pid, process.parent_pid,
                process.event_count, seconds_since(begin_ns, process.start_ns),
                seconds_since(begin_ns, process.end_ns), (good ? ended : style.red(ended)).c_str(),
                2 * std::min(depth, kIndentMost), "", command_words(process).c_str());
  }
}

nlohmann::ordered_json process_json(const TreeProcess& process, u64 begin_ns) {
  nlohmann::ordered_json json = {{"process", process.process},
                                 {"parent", nullptr},
                                 {"pid", process.pid},
                                 {"ppid", process.parent_pid},
                                 {"program", process.program},
                                 {"arguments", process.arguments},
                                 {"executed", process.executed},
                                 {"fork_event", nullptr},
                                 {"first_event", nullptr},
                                 {"last_event", nullptr},
                                 {"events", process.event_count},
                                 {"start_ns", process.start_ns - std::min(begin_ns, process.start_ns)},
                                 {"end_ns", process.end_ns - std::min(begin_ns, process.end_ns)},
                                 {"end_ticks", process.end_ticks},
                                 {"ending", lens::end_words(process)},
                                 {"native", process.native},
                                 {"exit_status", nullptr},
                                 {"fatal_signal", nullptr},
                                 {"children", process.children}};
  if (process.parent) json["parent"] = *process.parent;
  if (process.fork_event) json["fork_event"] = *process.fork_event;
  if (process.event_count != 0) {
    json["first_event"] = process.first_event;
    json["last_event"] = process.last_event;
  }
  if (process.exit_status) json["exit_status"] = *process.exit_status;
  if (process.fatal_signal) json["fatal_signal"] = *process.fatal_signal;
  return json;
}

int complain_of_damage(const std::shared_ptr<const trace::OpenedTrace>& trace, u32 process) {
  trace::TraceReader reader(trace, process);
  while (!reader.next_run().empty()) {
  }
  return complain(printable(reader.trouble()), kFound);
}

int run_ps(const PsOptions& options, const Session& session) {
  const auto path = find_recording(options.recording);
  if (!path) return kCannotRun;
  auto recording = lens::open_recording(*path);
  if (!recording) return complain(printable(recording.error().sentence));
  const auto& trace = recording.value().trace;
  ProcessTree& tree = recording.value().tree;
  if (auto block = trace::read_launch(*path)) {
    if (const auto* header = launch_header(block.value())) tree[0].parent_pid = header->parent_pid;
  }
  if (options.json) {
    auto json = nlohmann::ordered_json::array();
    for (const auto& [number, process] : tree) json.push_back(process_json(process, begin_of(tree)));
    print_json(json);
  } else {
    print_table(tree, Style::for_stream(session.color, 1));
  }
  for (const auto& [number, process] : tree)
    if (process.ending == trace::Ending::damaged) return complain_of_damage(trace, number);
  return 0;
}

}  // namespace

void add_ps(Arguments app, Session& session) {
  auto options = std::make_shared<PsOptions>();
  const Arguments command = app.command("ps", "Show the processes of a recording as a tree");
  add_recording_option(command, options->recording);
  command.flag("--json", options->json, "Print JSON: times in nanoseconds since the beginning");
  command.set_examples("  orrery ps\n  orrery ps make-0 --json | jq '.[] | select(.exit_status != 0)'\n");
  command.run([options, &session] { session.exit_code = run_ps(*options, session); });
}

}  // namespace orrery::cli
