#include "lens/run_summary.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "machine/launch.h"
#include "trace/format.h"
#include "trace/trace_file_hosted.h"

namespace orrery::lens {
namespace {

/// NUL-terminated strings one behind the other.
class Strings {
 public:
  explicit Strings(std::string bytes) : bytes_(std::move(bytes)) {}
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

/// REC/launch: a file header, the launch block's header, and its strings.
Status read_launch(const std::string& directory, RunSummary& run) {
  std::ifstream file(directory + "/launch", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  constexpr u64 kStringsAt = sizeof(trace::LaunchFileHeader) + sizeof(machine::LaunchHeader);
  if (bytes.size() < kStringsAt) return Error{"cannot read how the program was started (launch)"};
  machine::LaunchHeader header;
  std::memcpy(&header, bytes.data() + sizeof(trace::LaunchFileHeader), sizeof header);
  if (header.magic != machine::kLaunchMagic) return Error{"the recording's launch file is damaged"};
  Strings strings(bytes.substr(kStringsAt));
  run.program = strings.next();
  run.cwd = strings.next();
  // A count is believed only as far as there are bytes.
  for (u64 i = 0; i < std::min<u64>(header.argument_count, bytes.size()); ++i)
    run.arguments.push_back(strings.next());
  return Nothing{};
}

void read_map(const trace::EventView& event, RunSummary& run) {
  trace::FileReference file;
  if (event.payload.size() < sizeof file) return;
  std::memcpy(&file, event.payload.data(), sizeof file);
  if (file.file_number == trace::kZeroPages) return;
  const auto path = event.payload.subspan(sizeof file);
  run.files.push_back({.path = std::string(path.begin(), path.end()),
                       .inode = file.inode,
                       .kept = run.directory + "/files/" + std::to_string(file.file_number)});
}

void read_event(const trace::EventView& event, RunSummary& run) {
  using trace::EventKind;
  run.last_event = event.header->number;
  if (event.header->pc != 0) run.started = true;
  switch (event.header->kind) {
    case EventKind::map:
      read_map(event, run);
      break;
    case EventKind::memory:
      run.memory_events.push_back(event.header->number);
      break;
    case EventKind::exit: {
      run.ended = true;
      constexpr i64 kBySignal = 0x100;
      const bool by_signal = (event.header->result & kBySignal) != 0;
      run.signal = by_signal ? static_cast<int>(event.header->result & 0x7f) : 0;
      run.status = by_signal ? 0 : static_cast<int>(event.header->result & 0xff);
      break;
    }
    case EventKind::gap:
      run.has_gap = true;
      break;
    default:
      break;
  }
}

}  // namespace

Result<RunSummary> summarize(const std::string& directory) {
  RunSummary run;
  run.directory = directory;
  TRY(read_launch(directory, run));
  std::string trouble;
  const std::unique_ptr<trace::TraceReader> reader = trace::TraceReader::open(directory, trouble);
  if (!reader) return Error{"cannot read the recording's trace"};
  trace::EventView event;
  while (reader->next(event) == trace::ReadStatus::event) read_event(event, run);
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
