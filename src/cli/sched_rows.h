// What the reports on threads read: lanes, wakes and the critical path of a span.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/layer_options.h"
#include "db/database.h"

namespace orrery::cli {

/// A thread of the machine: its process's number and its id.
using TaskKey = std::pair<i64, i64>;

struct TaskStretch {
  i64 begin_ns = 0, end_ns = 0;
  i64 event = 0, ticks = 0;  ///< at the beginning; of a wait, at the call
  std::string state{}, reason{}, call{}, object{}, ending{};
  std::optional<i64> owner{};
};

struct TaskLane {
  TaskKey key{};
  std::string name{};
  std::optional<i64> maker{};
  i64 begin_ns = 0, end_ns = 0, running_ns = 0, ready_ns = 0, blocked_ns = 0, blocks = 0, quanta = 0,
      yields = 0;
  std::vector<TaskStretch> stretches{};  ///< in order, without holes but for what was shorter than 1 ns
};

struct TaskWake {
  TaskKey by{};
  i64 by_ns = 0;
  std::string how{};
};

struct TaskHistory {
  std::vector<TaskLane> lanes{};
  std::map<std::pair<TaskKey, i64>, TaskWake> wakes{};  ///< by who was woken, and when
  std::map<i64, i64> parents{};                         ///< process: the one that forked it
  i64 end_ns = 0;

  const TaskLane* find(const TaskKey& key) const;
};

Fallible<TaskHistory> read_history(db::Database& database, const LayerOptions& options);

/// A piece of the chain of what had to happen one after the other.
struct PathPiece {
  TaskKey task{};
  std::string what{};  ///< "running", "ready", "blocked": nobody of the machine ended that
  std::string reason{}, call{}, object{};
  i64 begin_ns = 0, end_ns = 0;
  i64 event = 0, ticks = 0;  ///< where the stretch began that it is a piece of; of a wait, at the call
  std::string woken_how{};   ///< by which call of the piece before this one could go on; empty: the same task
};

/// A wait that the path goes around, through what the one did that ended it.
struct PathWait {
  TaskKey task{};
  TaskStretch stretch{};
};

/// Backwards from where `last` stood at `to_ns`: through what it did, and where it was blocked on through
/// what the one did that woke it. In the order of time. `around`: to these the waits are added that the path
/// goes around, the last one first.
std::vector<PathPiece> critical_path(const TaskHistory& history, const TaskKey& last, i64 from_ns, i64 to_ns,
                                     std::vector<PathWait>* around = nullptr);

}  // namespace orrery::cli
