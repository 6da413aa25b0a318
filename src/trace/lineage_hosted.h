// How a process of a recording came to be: the processes from the first one down to it, each up to the fork
// that led on. A replay of one process goes down that way.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "trace/event.h"
#include "trace/opened_trace_hosted.h"

namespace orrery::trace {

struct LineageStep {
  u32 process = 0;
  u64 end_event = ~u64{0};  ///< its events before this one count; of an ancestor: the number of the fork
};

struct Lineage {
  std::vector<LineageStep> steps{};  ///< from the first process to the one that was asked for

  bool has(u32 process) const;
};

/// What the process's first event says; nothing for the first process, or where that is damaged.
std::optional<ProcessStart> read_start(const std::shared_ptr<const OpenedTrace>& trace, u32 process);

/// Fails if the beginning of one of them is not in the trace.
Result<Lineage> read_lineage(const std::shared_ptr<const OpenedTrace>& trace, u32 process);
/// Whether one of them shared memory with other processes, so that what it did depends on what those did.
bool shares_memory(const std::shared_ptr<const OpenedTrace>& trace, const Lineage& lineage);

}  // namespace orrery::trace
