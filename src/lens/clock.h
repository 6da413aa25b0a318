// When a process was where: its events say when they were written, and between two of them time goes on with
// the ticks of the task that ran.
#pragma once

#include <algorithm>
#include <map>

#include "lens/lens.h"
#include "trace/trace_file_hosted.h"

namespace orrery::lens {

/// For questions that go forward.
class Clock {
 public:
  Clock(const Recording& recording, u32 process);

  Instant at(const Stop& stop);
  /// Of a place that may be no stop: before event `event`, where `task` has `ticks`.
  u64 time_at(u64 event, i32 task, u64 ticks) { return stretch_at(event, task).time_at(ticks); }
  /// How time goes on between two events.
  struct Stretch {
    u64 begin_ns = 0;                    ///< since the recording began
    u64 first_ticks = 0, end_ticks = 0;  ///< of the task that runs
    double ns_a_tick = 0;                ///< 0 where ticks do not tell how far this stretch has come

    u64 time_at(u64 ticks) const {
      const u64 passed = std::clamp(ticks, first_ticks, end_ticks) - first_ticks;
      return begin_ns + static_cast<u64>(static_cast<double>(passed) * ns_a_tick);
    }
  };
  /// Of what `task` does before event `event`.
  Stretch stretch_at(u64 event, i32 task);
  /// The other way round: where the process was at that time, in ns since the beginning. Behind its last
  /// event, that is the place.
  Instant find(u64 time_ns);

 private:
  void advance();
  void go_to(u64 event);
  /// How many ticks the task of the next event had when this stretch began.
  u64 ticks_before() const;

  const Recording& recording_;
  trace::TraceReader reader_;
  trace::EventHeader before_, next_;
  std::map<i32, u64> ticks_;  ///< each task's at its last event before `next_`
  bool more_ = false;
};

}  // namespace orrery::lens
