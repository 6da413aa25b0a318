// When a process was where: its events say when they were written, and between two of them time goes on with
// the ticks of the task that ran.
#pragma once

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
  u64 time_at(u64 event, i32 task, u64 ticks);
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
