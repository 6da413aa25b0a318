#include "trace/info_hosted.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <string_view>

#include "base/clock_hosted.h"
#include "trace/escaped_text_hosted.h"

namespace orrery::trace {
namespace {

constexpr u64 kInfoBytesMost = 8 << 20;
constexpr const char* kStateNames[] = {"recording", "complete", "cut", "gap"};

/// A FIFO or a device in its place would block the reader, or never end.
bool is_regular_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return false;
  if (!S_ISREG(status.st_mode)) errno = EINVAL;
  return S_ISREG(status.st_mode);
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Calls `line(key, value)` for all that is to be written.
void for_each_line(const RecordingInfo& info,
                   const std::function<void(const char*, const std::string&)>& line) {
  line("program", info.program);
  for (const std::string& argument : info.arguments) line("argument", argument);
  line("directory", info.directory);
  line("orrery", info.orrery_version);
  line("host", info.host);
  line("kernel", info.kernel);
  line("cpu", info.cpu);
  line("profile", info.profile);
  for (const auto& [name, value] : info.inherited) line("inherited", name + " " + value);
  if (info.seed) line("seed", std::to_string(*info.seed));
  if (info.aslr != 0) line("aslr", std::to_string(info.aslr));
  line("started_ns", std::to_string(info.started_ns));
  line("duration_ns", std::to_string(info.duration_ns));
  line("pid", std::to_string(info.pid));
  line("state", state_name(info.state));
  if (info.exit_status) line("exit_status", std::to_string(*info.exit_status));
  if (info.fatal_signal) line("fatal_signal", std::to_string(*info.fatal_signal));
  if (info.gap) line("gap", std::to_string(static_cast<int>(*info.gap)));
  line("event_count", std::to_string(info.event_count));
  line("raw_bytes", std::to_string(info.raw_bytes));
  line("trace_bytes", std::to_string(info.trace_bytes));
  line("process_count", std::to_string(info.process_count));
  line("killed_count", std::to_string(info.killed_count));
}

void take_number(u64& field, std::string_view value) {
  if (const auto number = parse_number<u64>(value)) field = *number;
}

/// Unknown keys are of a newer version and left out.
void take_line(RecordingInfo& info, std::string_view key, std::string_view value) {
  if (key == "program") info.program = unescape_line(value);
  if (key == "argument") info.arguments.push_back(unescape_line(value));
  if (key == "directory") info.directory = unescape_line(value);
  if (key == "orrery") info.orrery_version = unescape_line(value);
  if (key == "host") info.host = unescape_line(value);
  if (key == "kernel") info.kernel = unescape_line(value);
  if (key == "cpu") info.cpu = unescape_line(value);
  if (key == "profile") info.profile = unescape_line(value);
  if (key == "inherited") {
    const std::string text = unescape_line(value);
    const std::size_t blank = text.find(' ');
    if (blank != std::string::npos)
      info.inherited.emplace_back(text.substr(0, blank), text.substr(blank + 1));
  }
  if (key == "seed") info.seed = parse_number<u64>(value);
  if (key == "aslr") take_number(info.aslr, value);
  if (key == "started_ns") take_number(info.started_ns, value);
  if (key == "duration_ns") take_number(info.duration_ns, value);
  if (key == "pid") info.pid = parse_number<i32>(value).value_or(0);
  if (key == "state")
    for (int i = 0; i < 4; ++i)
      if (value == kStateNames[i]) info.state = static_cast<RecordingState>(i);
  if (key == "exit_status") info.exit_status = parse_number<int>(value);
  if (key == "fatal_signal") info.fatal_signal = parse_number<int>(value);
  if (key == "gap")
    if (const auto number = parse_number<u8>(value)) info.gap = static_cast<GapReason>(*number);
  if (key == "event_count") take_number(info.event_count, value);
  if (key == "raw_bytes") take_number(info.raw_bytes, value);
  if (key == "trace_bytes") take_number(info.trace_bytes, value);
  if (key == "process_count") take_number(info.process_count, value);
  if (key == "killed_count") take_number(info.killed_count, value);
}

}  // namespace

const char* state_name(RecordingState state) { return kStateNames[static_cast<int>(state)]; }

void note_end(RecordingInfo& info, const EventHeader& last) {
  if (last.kind == EventKind::gap) {
    info.state = RecordingState::gap;
    info.gap = static_cast<GapReason>(last.result);
  }
  if (last.kind != EventKind::exit) return;
  info.state = RecordingState::complete;
  if ((last.result & 0x100) != 0)
    info.fatal_signal = static_cast<int>(last.result & 0xff);
  else
    info.exit_status = static_cast<int>(last.result & 0xff);
}

/// Replaces the file whole, so that a reader never sees half of it.
Status write_info(const std::string& recording, const RecordingInfo& info) {
  std::string text = "orrery recording 1\n";
  for_each_line(info, [&](const char* key, const std::string& value) {
    text += std::string(key) + ": " + escape_line(value) + "\n";
  });
  const std::string path = recording + "/info";
  const std::string temporary = path + "." + std::to_string(getpid());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Error{"writing the recording's info", errno};
  const ssize_t written = write(fd, text.data(), text.size());
  const int error = written == static_cast<ssize_t>(text.size()) ? 0 : (written < 0 ? errno : ENOSPC);
  close(fd);
  if (error != 0 || rename(temporary.c_str(), path.c_str()) != 0) {
    const int why = error != 0 ? error : errno;
    unlink(temporary.c_str());
    return Error{"writing the recording's info", why};
  }
  return Nothing{};
}

Result<RecordingInfo> read_info(const std::string& recording) {
  std::ifstream file;
  if (is_regular_file(recording + "/info")) file.open(recording + "/info", std::ios::binary);
  if (!file.is_open()) return Error{"reading the recording's info", errno};
  std::string text;
  for (char block[4096]; text.size() < kInfoBytesMost && (file.read(block, sizeof block), file.gcount() > 0);)
    text.append(block, static_cast<std::size_t>(file.gcount()));
  if (!text.starts_with("orrery recording ")) return Error{"reading the recording's info: it is none", 0};
  RecordingInfo info;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos) take_line(info, line.substr(0, colon), line.substr(colon + 2));
  }
  return info;
}

Status note_fatal_signal(const std::string& recording, int signal) {
  RecordingInfo info = TRY(read_info(recording));
  if (info.exit_status || info.fatal_signal) return Nothing{};
  info.fatal_signal = signal;
  return write_info(recording, info);
}

std::string RecordingInfo::inherited_value(const std::string& name) const {
  for (const auto& [known, value] : inherited)
    if (known == name) return value;
  return "";
}

namespace {

void describe_inherited(RecordingInfo& info) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    const std::size_t colon = line.find(":\t");
    if (colon == std::string::npos || (!line.starts_with("Groups") && !line.starts_with("Cap"))) continue;
    std::string value = line.substr(colon + 2);
    while (!value.empty() && value.back() == ' ') value.pop_back();
    info.inherited.emplace_back(line.substr(0, colon), value);
  }
  std::ifstream cgroups("/proc/self/cgroup");
  for (std::string line; std::getline(cgroups, line);) info.inherited.emplace_back("cgroup", line);
  for (const char* name : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
    char target[64];
    const std::string path = std::string("/proc/self/ns/") + name;
    const ssize_t size = readlink(path.c_str(), target, sizeof target);
    if (size > 0)
      info.inherited.emplace_back(std::string("ns/") + name,
                                  std::string(target, static_cast<std::size_t>(size)));
  }
  std::ifstream score("/proc/self/oom_score_adj");
  if (std::string value; score >> value) info.inherited.emplace_back("oom_score_adj", value);
  info.inherited.emplace_back("nice", std::to_string(getpriority(PRIO_PROCESS, 0)));
}

}  // namespace

void describe_host(RecordingInfo& info) {
  utsname names{};
  if (uname(&names) == 0) {
    info.host = names.nodename;
    info.kernel = names.release;
  }
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) info.cpu = line.substr(colon + 2);
    break;
  }
  info.started_ns = realtime_ns();
  describe_inherited(info);
}

}  // namespace orrery::trace
