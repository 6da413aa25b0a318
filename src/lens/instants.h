// An instant of a run, made exact: where a process stood. Reports compare their rows with it, and a replay is
// brought to it.
#pragma once

#include <optional>
#include <string>

#include "lens/instant_word.h"
#include "lens/lens.h"

namespace orrery::lens {

/// Between two events a task is at the instruction `pc` when it has `at.ticks`; that is one place, as the pc
/// only grows between two ticks. Without a pc: where that tick leads, or the first place behind the event
/// before if that is later. Task 0: nothing of the program had run.
struct ExactInstant {
  u32 process = 0;
  Instant at{};
  std::optional<u64> pc{};
  bool is_event =
      false;  ///< an event's: where the program does not come by, the first place behind it is meant

  /// SQL for "this row is of then or before": columns with the next event, the ticks and the time, and a
  /// column `process`. Of other processes the time tells, of this one the event and the tick.
  std::string condition(const char* event, const char* ticks, const char* time_ns) const;
};

/// What the events alone tell: an event, a time, a percentage, start, end or crash; not main or a call.
/// Without a process: the first one, or the one that crashed.
Fallible<ExactInstant> find_instant(const Recording& recording, const InstantWord& word,
                                    std::optional<u32> process);

/// Runs the session of that process there; it must not be behind it. Where the instant lies before the first
/// instruction, it stays at the start. Breakpoints are lost.
Fallible<Nothing> seek(ReplaySession& session, const ExactInstant& instant);

}  // namespace orrery::lens
