#include "lens/run_summary.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "machine/launch.h"
#include "trace/event.h"
#include "trace/lineage_hosted.h"
#include "trace/recordings_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::lens {
namespace {

/// NUL-terminated strings one behind the other.
class Strings {
 public:
  explicit Strings(std::string bytes) : bytes_(std::move(bytes)) {}
  bool more() const { return at_ < bytes_.size(); }
  std::string next() {
    if (at_ >= bytes_.size()) return "";
    const auto end = std::min(bytes_.find('\0', at_), bytes_.size());
    std::string text = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }

 private:
  std::string bytes_;
  u64 at_ = 0;
};

/// REC/launch: the launch block's header and its strings.
Status read_start(const std::string& directory, RunSummary& run) {
  const std::vector<u8> block = TRY(trace::read_launch(directory));
  machine::LaunchHeader header;
  if (block.size() < sizeof header) return Error{"read how the program was started"};
  std::memcpy(&header, block.data(), sizeof header);
  if (header.magic != machine::kLaunchMagic) return Error{"read how the program was started"};
  Strings strings(std::string(block.begin() + sizeof header, block.end()));
  run.program = strings.next();
  run.cwd = strings.next();
  // A count is believed only as far as there are bytes.
  for (u64 i = 0; i < std::min<u64>(header.argument_count, block.size()); ++i)
    run.arguments.push_back(strings.next());
  return Nothing{};
}

/// The files that one system call maps: those of an exec come before its event.
struct MappedTogether {
  i32 task = 0;
  u64 ticks = ~u64{0};
  std::string first{};
};

void read_map(const trace::EventView& event, RunSummary& run, MappedTogether& together) {
  trace::FileReference file;
  if (event.payload.size() < sizeof file) return;
  std::memcpy(&file, event.payload.data(), sizeof file);
  if (file.file_number == trace::kZeroPages) return;
  const auto path = event.payload.subspan(sizeof file);
  const trace::EventHeader& header = *event.header;
  if (header.task != together.task || header.ticks != together.ticks)
    together = {header.task, header.ticks, std::string(path.begin(), path.end())};
  run.files.push_back({.path = std::string(path.begin(), path.end()),
                       .inode = file.inode,
                       .kept = run.directory + "/files/" + std::to_string(file.file_number),
                       .mtime_ns = file.mtime_ns});
}

/// The first file that exec maps is the program itself.
void read_exec(const trace::EventView& event, RunSummary& run, const MappedTogether& together) {
  run.image = event.header->ticks == together.ticks ? together.first : "";
  Strings strings(std::string(event.payload.begin(), event.payload.end()));
  run.program = strings.next();
  run.arguments.clear();
  while (strings.more()) run.arguments.push_back(strings.next());
}

/// What read_event() looks at. That the program has run, any later event than its first tells.
constexpr trace::EventKind kKinds[] = {trace::EventKind::start, trace::EventKind::map, trace::EventKind::exit,
                                       trace::EventKind::exec, trace::EventKind::gap};

void read_event(const trace::EventView& event, RunSummary& run, MappedTogether& together) {
  using trace::EventKind;
  run.last_event = event.header->number;
  if (event.header->pc != 0) run.started = true;
  switch (event.header->kind) {
    case EventKind::map:
      read_map(event, run, together);
      break;
    case EventKind::exit: {
      run.ended = true;
      constexpr i64 kBySignal = 0x100;
      const bool by_signal = (event.header->result & kBySignal) != 0;
      run.signal = by_signal ? static_cast<int>(event.header->result & 0x7f) : 0;
      run.status = by_signal ? 0 : static_cast<int>(event.header->result & 0xff);
      break;
    }
    case EventKind::exec:
      read_exec(event, run, together);
      break;
    case EventKind::gap:
      run.has_gap = true;
      break;
    default:
      break;
  }
}

}  // namespace

Result<RunSummary> summarize(const std::string& directory, const TreeProcess& process) {
  std::string trouble;
  const auto trace = trace::OpenedTrace::open(directory, trouble);
  if (!trace) return Error{"read the recording's trace"};
  return summarize(directory, trace, process);
}

Result<RunSummary> summarize(const std::string& directory,
                             const std::shared_ptr<const trace::OpenedTrace>& trace,
                             const TreeProcess& process) {
  RunSummary run;
  run.directory = directory;
  run.process = process.process;
  run.pid = process.pid;
  TRY(read_start(directory, run));
  const trace::Lineage lineage = TRY(trace::read_lineage(trace, process.process));
  MappedTogether together;
  for (const trace::LineageStep& step : lineage.steps) {
    trace::TraceReader reader(trace, step.process);
    trace::EventView event;
    while (reader.next_of({kKinds}, event) == trace::ReadStatus::event &&
           event.header->number < step.end_event)
      read_event(event, run, together);
  }
  if (!run.ended && process.fatal_signal == SIGKILL && process.ending == trace::Ending::clean &&
      !run.has_gap) {
    run.ended = run.killed = true;
    run.signal = SIGKILL;
  }
  return run;
}

std::string kept_file(const RunSummary& run, const std::string& path, u64 inode) {
  // The same path may have been mapped as several files; the last one with the inode is meant.
  for (auto file = run.files.rbegin(); file != run.files.rend(); ++file) {
    if (file->path == path && file->inode == inode) return file->kept;
  }
  for (auto file = run.files.rbegin(); file != run.files.rend(); ++file) {
    if (file->path == path) return file->kept;
  }
  return "";
}

}  // namespace orrery::lens
