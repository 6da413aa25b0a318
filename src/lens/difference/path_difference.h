// The branch at which two runs part: what both execute from some event on is compared, task by task. That two
// runs were at the same tick at each event does not say so: a forward jump is no tick.
//
// It takes two replays of each run: the first hashes what each task executes, in pieces of some thousand
// straight lines, and the second looks into the first piece that differs.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/failure_hosted.h"
#include "lens/replay_session.h"

namespace orrery::lens {

/// The part of a run to be compared. The session stands at its start, notes nothing, and is used up by it.
struct Route {
  ReplaySession* session = nullptr;
  std::optional<u64> from_event{};  ///< what is executed behind this event; without, all
  u64 to_event = 0;                 ///< up to this one; ~0: to the end
  /// Whose event that is: of what the other tasks execute there may be more in one run than in the other.
  i32 to_task = 0;
};
using TaskPair = std::array<i32, 2>;

/// A piece of what a task executes that is not the same in both runs.
struct DifferentPiece {
  TaskPair task{};
  u64 lines_before = 0;  ///< straight lines of the task, from the route's beginning on
  u64 begin = 0;         ///< lines that all tasks of the first run executed before it
};

/// The instruction behind which a task goes different ways.
struct PathDifference {
  struct Side {
    i32 task = 0;
    u64 event = 0;    ///< the process's next one
    u64 ticks = 0;    ///< of the task
    u64 stretch = 0;  ///< where the straight line begins that ends with the instruction
    u64 end = 0;      ///< behind the instruction
    u64 to = 0;       ///< where the run goes on; 0: it ends
  };
  std::array<Side, 2> side{};
  u64 common_lines = 0;  ///< that the task executed on the route in both runs
  u64 at = 0;            ///< as DifferentPiece::begin
};

/// The first one of each task that does not execute the same in both, in the order of their beginnings.
/// `tasks`: those that are known to correspond; the others do in the order in which they were made.
Fallible<std::vector<DifferentPiece>> find_different_pieces(const std::array<Route, 2>& routes,
                                                            const std::vector<TaskPair>& tasks);
/// What differs in it; nothing if one run only stops before the other.
Fallible<std::optional<PathDifference>> find_path_difference(const std::array<Route, 2>& routes,
                                                             const DifferentPiece& piece);

}  // namespace orrery::lens
