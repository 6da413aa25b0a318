// The processes of a recording, and their events in the order of time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "trace/trace_file_hosted.h"

namespace orrery::trace {

/// What a trace tells of one process without all of it being read.
struct TraceProcess {
  u32 process = 0;
  std::optional<ProcessStart> start{};  ///< none for the first process, or where it is damaged
  u64 first_time_ns = 0, last_time_ns = 0;
  u64 event_count = 0;
  u64 raw_bytes = 0;
  std::optional<EventHeader> last{};  ///< its last event; none where that is damaged
  Ending ending = Ending::clean;      ///< of its events in the file

  /// Its end is told by an event; otherwise it was killed, or its events are cut off.
  bool has_ended() const { return last && last->kind == EventKind::exit; }
};

/// All processes of the trace by number. Reads the first and the last chunk of each.
std::vector<TraceProcess> read_processes(const std::shared_ptr<const OpenedTrace>& trace);

/// The events of all processes, or of some: by time, and at equal times by process number. Damage ends the
/// process it is in, and the others go on.
class MergedReader {
 public:
  explicit MergedReader(std::shared_ptr<const OpenedTrace> trace) : MergedReader(std::move(trace), {}) {}
  /// Only these processes; all if there are none given.
  MergedReader(std::shared_ptr<const OpenedTrace> trace, const std::set<u32>& only);

  /// The next event; valid until the next call.
  ReadStatus next(EventView& event);
  /// Whose event it was.
  u32 process() const { return process_; }
  /// What was damaged or cut, each process's words once.
  const std::vector<std::string>& troubles() const { return troubles_; }
  bool damaged() const { return damaged_; }

 private:
  struct Turn {
    u64 time_ns;
    u32 process;
    auto operator<=>(const Turn&) const = default;
  };
  struct Stream {
    std::unique_ptr<TraceReader> reader;  ///< null until the first event's turn, since it takes memory
    EventView event;
  };
  void advance(u32 process);

  std::shared_ptr<const OpenedTrace> trace_;
  std::map<u32, Stream> streams_;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
  u32 process_ = 0;
  bool started_ = false;
  bool damaged_ = false;
  std::vector<std::string> troubles_;
};

}  // namespace orrery::trace
