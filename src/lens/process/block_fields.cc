#include "lens/process/block_fields.h"

#include <signal.h>

#include <bit>
#include <cstdio>
#include <cstring>

#include "elf/symbolizer_hosted.h"
#include "lens/code_place.h"
#include "linux/signal_names.h"

namespace orrery::lens::process {

const LimitName kLimitNames[machine::kControlLimits] = {
    {"CPU", "cpu seconds"},          {"FSIZE", "file size"},
    {"DATA", "data size"},           {"STACK", "stack size"},
    {"CORE", "core file size"},      {"RSS", "resident set"},
    {"NPROC", "processes"},          {"NOFILE", "open files"},
    {"MEMLOCK", "locked memory"},    {"AS", "address space"},
    {"LOCKS", "file locks"},         {"SIGPENDING", "pending signals"},
    {"MSGQUEUE", "message queues"},  {"NICE", "nice priority"},
    {"RTPRIO", "realtime priority"}, {"RTTIME", "realtime microseconds"},
};

std::string signal_name(int number) {
  if (const abi::SignalName* known = abi::find_signal(number)) return known->name;
  if (number >= abi::kFirstRealTimeSignal)
    return "SIGRTMIN+" + std::to_string(number - abi::kFirstRealTimeSignal);
  return "signal " + std::to_string(number);
}

std::string signal_words(u64 set) {
  const bool is_inverted = std::popcount(set) > machine::kControlSignals / 2;
  std::string words;
  for (int number = 1; number <= machine::kControlSignals; ++number) {
    const bool is_in = (set >> (number - 1) & 1) != 0;
    if (is_in != is_inverted) words += (words.empty() ? "" : " ") + signal_name(number);
  }
  if (!is_inverted) return words;
  return words.empty() ? "all" : "all but " + words;
}

std::string handler_words(ReplaySession& session, u64 address) {
  const elf::Location place = elf::locate(session.images(), address);
  if (!place.symbol.empty()) return short_function(place.symbol);
  char text[32];
  std::snprintf(text, sizeof text, "%#lx", address);
  return text;
}

std::string action_flags(u64 flags) {
  static constexpr std::pair<u64, const char*> kFlags[] = {
      {SA_NOCLDSTOP, "SA_NOCLDSTOP"}, {SA_NOCLDWAIT, "SA_NOCLDWAIT"}, {SA_SIGINFO, "SA_SIGINFO"},
      {SA_ONSTACK, "SA_ONSTACK"},     {SA_RESTART, "SA_RESTART"},     {SA_NODEFER, "SA_NODEFER"},
      {SA_RESETHAND, "SA_RESETHAND"}};
  std::string words;
  for (const auto& [bit, name] : kFlags)
    if ((flags & bit) != 0) words += (words.empty() ? "" : "|") + std::string(name);
  return words.empty() ? "0" : words;
}

std::string limit_words(u64 limit) { return limit == ~u64{0} ? "unlimited" : std::to_string(limit); }

std::map<std::string, std::string> fields_of(ReplaySession& session, const ProcessBlock& block,
                                             const std::vector<machine::ControlTask>& tasks) {
  const machine::ControlProcess& process = block.process;
  std::map<std::string, std::string> fields;
  const auto put = [&](const char* name, auto value) { fields[name] = std::to_string(value); };
  put("pid", process.pid), put("group", process.group), put("session", process.session);
  put("uid", process.uid), put("euid", process.euid), put("suid", process.suid);
  put("gid", process.gid), put("egid", process.egid), put("sgid", process.sgid);
  put("personality", process.personality), put("dumpable", process.dumpable);
  put("no_new_privileges", process.no_new_privileges), put("seccomp", process.seccomp_mode);
  put("seccomp filters", process.seccomp_filters), put("timers", process.timers);
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04o", process.umask);
  fields["umask"] = digits;
  fields["directory"] = block.directory;
  fields["program"] = block.program;
  for (std::size_t at = 0; at < machine::kControlLimits; ++at)
    fields[std::string("limit ") + kLimitNames[at].name] =
        limit_words(process.limits[at][0]) + " (hard " + limit_words(process.limits[at][1]) + ")";
  for (int number = 1; number <= machine::kControlSignals; ++number) {
    const machine::ControlAction& action = process.actions[number - 1];
    if (action.handler == 0) continue;
    fields["handler " + signal_name(number)] =
        action.handler == 1 ? "ignored"
                            : handler_words(session, action.handler) + " " + action_flags(action.flags) +
                                  (action.mask != 0 ? " mask " + signal_words(action.mask) : "");
  }
  for (const machine::ControlTask& task : tasks) {
    if (task.state == machine::TaskState::ended) continue;
    const std::string of = " of " + std::to_string(task.task);
    fields["name" + of] = std::string(task.name, ::strnlen(task.name, sizeof task.name));
    if (task.blocked_signals != 0) fields["mask" + of] = signal_words(task.blocked_signals);
    if (task.alternate_bytes != 0)
      fields["alternate stack" + of] = std::to_string(task.alternate_bytes) + " bytes";
  }
  return fields;
}

}  // namespace orrery::lens::process
