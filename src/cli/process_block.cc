#include "cli/process_block.h"

#include <cstdio>
#include <cstring>

#include "base/text.h"
#include "cli/recording_text.h"
#include "elf/symbolizer_hosted.h"
#include "lens/code_place.h"
#include "lens/process/block_fields.h"
#include "linux/syscall_print.h"
#include "linux/syscall_table.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::process::signal_name;
using lens::process::signal_words;

class SessionMemory final : public abi::MemoryReader {
 public:
  explicit SessionMemory(lens::ReplaySession& session) : session_(session) {}
  std::size_t read(u64 address, std::span<u8> out) const override { return session_.read(address, out); }

 private:
  lens::ReplaySession& session_;
};

/// The call that a task waits in: as one that failed, since nothing has been given to it yet.
std::string call_words(lens::ReplaySession& session, const machine::ControlTask& task) {
  constexpr i64 kNotYet = -512;  // ERESTARTSYS
  const std::array<u64, 6> arguments = {task.gpr[7],  task.gpr[6], task.gpr[2],
                                        task.gpr[10], task.gpr[8], task.gpr[9]};
  const SessionMemory memory(session);
  Text text;
  const abi::SyscallRow* row = abi::find_syscall(static_cast<u64>(task.call));
  if (row == nullptr || row->name == nullptr) return "call " + std::to_string(task.call);
  abi::print_syscall(*row, arguments, kNotYet, memory, text, {});
  const std::string words(text.view());
  return words.substr(0, words.rfind(" = "));
}

const char* state_word(const machine::ControlTask& task) {
  using machine::TaskState;
  if (task.traced != 0) return "traced";
  switch (task.state) {
    case TaskState::runs:
      return "running";
    case TaskState::ready:
      return "ready";
    case TaskState::waits:
      return "blocked";
    case TaskState::stopped:
      return "stopped";
    case TaskState::ended:
      break;
  }
  return "ended";
}

Json place_json(lens::ReplaySession& session, u64 pc) {
  const elf::Location place = elf::locate(session.images(), pc);
  Json json = {{"function", nullptr}, {"line", nullptr}};
  if (!place.symbol.empty()) json["function"] = lens::short_function(place.symbol);
  if (!place.frames.empty() && place.frames.front().source.line != 0)
    json["line"] = place.frames.front().source.file + ":" + std::to_string(place.frames.front().source.line);
  return json;
}

Json task_json(lens::ReplaySession& session, const machine::ControlTask& task) {
  const bool waits = task.state == machine::TaskState::waits;
  Json json = {
      {"task", task.task},         {"name", std::string(task.name, strnlen(task.name, sizeof task.name))},
      {"state", state_word(task)}, {"call", waits ? Json(call_words(session, task)) : Json(nullptr)},
      {"ticks", task.ticks},       {"pc", task.rip}};
  json.update(place_json(session, task.rip));
  json["stack_pointer"] = task.gpr[4];
  json["thread_pointer"] = task.fs_base;
  json["blocked_signals"] = task.blocked_signals;
  json["pending_signals"] = task.pending_signals;
  json["alternate_stack"] = nullptr;
  if (task.alternate_bytes != 0)
    json["alternate_stack"] = {{"start", task.alternate_stack}, {"bytes", task.alternate_bytes}};
  return json;
}

Json signals_json(lens::ReplaySession& session, const machine::ControlProcess& process) {
  Json actions = Json::array();
  for (int number = 1; number <= machine::kControlSignals; ++number) {
    const machine::ControlAction& action = process.actions[number - 1];
    if (action.handler == 0 && action.flags == 0) continue;
    const bool is_handled = action.handler > 1;
    actions.push_back({{"signal", number},
                       {"name", signal_name(number)},
                       {"action", is_handled            ? "handled"
                                  : action.handler == 1 ? "ignored"
                                                        : "default"},
                       {"handler", is_handled ? Json(action.handler) : Json(nullptr)},
                       {"function", is_handled ? Json(lens::process::handler_words(session, action.handler))
                                               : Json(nullptr)},
                       {"flags", lens::process::action_flags(action.flags)},
                       {"mask", action.mask}});
  }
  return actions;
}

std::string signals(const Json& set) {
  const std::string words = signal_words(set.get<u64>());
  return words.empty() ? "none" : words;
}

void print_tasks(const Json& tasks, const Style& style) {
  std::printf("\n%s\n", style.bold("     TASK  NAME             STATE    WHERE").c_str());
  for (const Json& task : tasks) {
    std::string where = task["function"].is_null() ? "" : task["function"].get<std::string>();
    if (!task["line"].is_null()) where += ", " + task["line"].get<std::string>();
    if (!task["call"].is_null())
      where = "in " + task["call"].get<std::string>() + (where.empty() ? "" : "; " + where);
    std::printf("  %7ld  %-15s  %-7s  %s\n", task["task"].get<i64>(),
                printable(task["name"].get<std::string>()).c_str(), task["state"].get<std::string>().c_str(),
                printable(where).c_str());
    if (task["blocked_signals"].get<u64>() != 0)
      std::printf("%s\n", style.dim("           blocks " + signals(task["blocked_signals"])).c_str());
    if (task["pending_signals"].get<u64>() != 0)
      std::printf("           pending: %s\n", signals(task["pending_signals"]).c_str());
    if (!task["alternate_stack"].is_null())
      std::printf("%s\n", style
                              .dim("           alternate stack of " +
                                   std::to_string(task["alternate_stack"]["bytes"].get<u64>()) + " bytes")
                              .c_str());
  }
}

void print_signals(const Json& block, const Style& style) {
  std::printf("\n%s\n", style.bold("  SIGNAL       ACTION").c_str());
  std::string ignored;
  for (const Json& action : block["signals"]) {
    const std::string name = action["name"];
    if (action["action"] == "ignored") ignored += (ignored.empty() ? "" : " ") + name;
    if (action["action"] != "handled") continue;
    const std::string flags = action["flags"], mask = signal_words(action["mask"].get<u64>());
    std::printf("  %-11s  %s%s%s\n", name.c_str(), printable(action["function"].get<std::string>()).c_str(),
                flags == "0" ? "" : style.dim("  " + flags).c_str(),
                mask.empty() ? "" : style.dim("  blocks " + mask + " meanwhile").c_str());
  }
  if (!ignored.empty()) std::printf("  ignored: %s\n", ignored.c_str());
  std::printf("  pending for the process: %s\n", signals(block["pending_signals"]).c_str());
}

void print_limits(const Json& limits, bool all, const Style& style) {
  std::printf("\n%s\n",
              style.bold("  LIMIT                              SOFT                  HARD").c_str());
  for (const Json& limit : limits) {
    const u64 soft = limit["soft"], hard = limit["hard"];
    if (!all && soft == ~u64{0} && hard == ~u64{0}) continue;
    std::printf("  %-22s %17s  %20s\n", limit["sentence"].get<std::string>().c_str(),
                lens::process::limit_words(soft).c_str(), lens::process::limit_words(hard).c_str());
  }
  if (!all) std::printf("%s\n", style.dim("  all others are unlimited").c_str());
}

}  // namespace

Fallible<Json> process_block_json(lens::ReplaySession& session) {
  auto asked = session.process_block();
  if (!asked) return Failure(asked.error());
  const lens::ProcessBlock block = asked.take();
  const machine::ControlProcess& process = block.process;
  Json json = {{"pid", process.pid},
               {"parent_pid", process.parent},
               {"group", process.group},
               {"session", process.session},
               {"program", block.program},
               {"directory", block.directory},
               {"users", {process.uid, process.euid, process.suid}},
               {"groups", {process.gid, process.egid, process.sgid}},
               {"umask", process.umask},
               {"personality", process.personality},
               {"dumpable", process.dumpable != 0},
               {"no_new_privileges", process.no_new_privileges != 0},
               {"seccomp_mode", process.seccomp_mode},
               {"seccomp_filters", process.seccomp_filters},
               {"timers", process.timers},
               {"pending_signals", process.pending}};
  Json tasks = Json::array(), limits = Json::array();
  // A copy: naming places asks the session more.
  const std::vector<machine::ControlTask> all = session.tasks();
  for (const machine::ControlTask& task : all) tasks.push_back(task_json(session, task));
  for (std::size_t at = 0; at < machine::kControlLimits; ++at)
    limits.push_back({{"name", lens::process::kLimitNames[at].name},
                      {"sentence", lens::process::kLimitNames[at].sentence},
                      {"soft", process.limits[at][0]},
                      {"hard", process.limits[at][1]}});
  json["tasks"] = std::move(tasks);
  json["signals"] = signals_json(session, process);
  json["limits"] = std::move(limits);
  return json;
}

void print_process_block(const Json& block, bool all, const Style& style) {
  const auto ids = [&](const char* name) {
    const auto numbers = block[name].get<std::vector<u32>>();
    if (numbers[0] == numbers[1] && numbers[1] == numbers[2]) return std::to_string(numbers[0]);
    return std::to_string(numbers[0]) + " (effective " + std::to_string(numbers[1]) + ", saved " +
           std::to_string(numbers[2]) + ")";
  };
  std::printf("  pid %ld, parent %ld, process group %ld, session %ld\n", block["pid"].get<i64>(),
              block["parent_pid"].get<i64>(), block["group"].get<i64>(), block["session"].get<i64>());
  std::printf("  program    %s\n", printable(block["program"].get<std::string>()).c_str());
  std::printf("  directory  %s\n", printable(block["directory"].get<std::string>()).c_str());
  std::printf("  user       %s, group %s; umask %04o\n", ids("users").c_str(), ids("groups").c_str(),
              block["umask"].get<unsigned>());
  std::string supplementary;
  for (const Json& group : block.value("supplementary_groups", Json::array()))
    supplementary += " " + std::to_string(group.get<u32>());
  std::printf("  besides    supplementary groups%s\n",
              supplementary.empty() ? " none" : supplementary.c_str());
  std::string rest;
  if (!block["dumpable"].get<bool>()) rest += ", not dumpable";
  if (block["no_new_privileges"].get<bool>()) rest += ", no new privileges";
  if (block["seccomp_mode"].get<u32>() != 0)
    rest += ", seccomp with " + std::to_string(block["seccomp_filters"].get<u32>()) + " filters";
  if (block["timers"].get<u32>() != 0) rest += ", " + std::to_string(block["timers"].get<u32>()) + " timers";
  if (block["personality"].get<u32>() != 0)
    rest += ", personality " + std::to_string(block["personality"].get<u32>());
  if (!rest.empty()) std::printf("             %s\n", rest.c_str() + 2);
  print_tasks(block["tasks"], style);
  print_signals(block, style);
  print_limits(block["limits"], all, style);
}

}  // namespace orrery::cli
