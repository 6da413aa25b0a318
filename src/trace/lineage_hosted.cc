#include "trace/lineage_hosted.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "trace/trace_file_hosted.h"

namespace orrery::trace {
namespace {

bool takes_turns(const std::shared_ptr<const OpenedTrace>& trace, const LineageStep& step) {
  TraceReader reader(trace, step.process);
  EventView event;
  constexpr EventKind kTurns[] = {EventKind::turn};
  while (reader.next_of({kTurns}, event) == ReadStatus::event && event.header->number < step.end_event)
    if (event.header->kind == EventKind::turn) return true;
  return false;
}

}  // namespace

bool Lineage::has(u32 process) const {
  return std::any_of(steps.begin(), steps.end(),
                     [&](const LineageStep& step) { return step.process == process; });
}

std::optional<ProcessStart> read_start(const std::shared_ptr<const OpenedTrace>& trace, u32 process) {
  TraceReader reader(trace, process);
  EventView event;
  if (reader.next(event) != ReadStatus::event) return std::nullopt;
  ProcessStart start;
  if (event.header->kind != EventKind::start || event.payload.size() < sizeof start) return std::nullopt;
  std::memcpy(&start, event.payload.data(), sizeof start);
  return start;
}

Result<Lineage> read_lineage(const std::shared_ptr<const OpenedTrace>& trace, u32 process) {
  Lineage lineage;
  lineage.steps.push_back({.process = process});
  while (lineage.steps.front().process != 0) {
    const u32 child = lineage.steps.front().process;
    const auto start = read_start(trace, child);
    // A parent's number is lower; a stranger's numbers must not make a circle.
    if (!start || start->parent_process >= child)
      return Error{"finding how the process began: that is not in the recording", ENODATA};
    lineage.steps.insert(lineage.steps.begin(),
                         {.process = start->parent_process, .end_event = start->parent_event});
  }
  return lineage;
}

bool shares_memory(const std::shared_ptr<const OpenedTrace>& trace, const Lineage& lineage) {
  return std::any_of(lineage.steps.begin(), lineage.steps.end(),
                     [&](const LineageStep& step) { return takes_turns(trace, step); });
}

}  // namespace orrery::trace
