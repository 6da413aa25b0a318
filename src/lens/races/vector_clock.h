// Vector clocks over the segments of tasks: a segment is a stretch of one task's run between two points at
// which it may hand something on, and segments of all tasks are counted together, so a segment's number is a
// time of its task's.
//
// Fidge (1988), Mattern (1989); that one number of the last access is enough for most comparisons: Flanagan
// and Freund, FastTrack (PLDI 2009).
#pragma once

#include <algorithm>
#include <vector>

#include "base/types.h"

namespace orrery::lens::races {

/// Tasks of a program, numbered as they began.
using TaskNumber = u32;

class VectorClock {
 public:
  /// The last segment of that task that came before; 0 if none did.
  u32 at(TaskNumber task) const { return task < segments_.size() ? segments_[task] : 0; }
  void set(TaskNumber task, u32 segment) {
    if (task >= segments_.size()) segments_.resize(task + 1);
    segments_[task] = segment;
  }
  /// What came before the other comes before this one, too.
  void join(const VectorClock& other) {
    if (segments_.size() < other.segments_.size()) segments_.resize(other.segments_.size());
    for (std::size_t task = 0; task < other.segments_.size(); ++task)
      segments_[task] = std::max(segments_[task], other.segments_[task]);
  }

 private:
  std::vector<u32> segments_;
};

}  // namespace orrery::lens::races
