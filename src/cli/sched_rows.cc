#include "cli/sched_rows.h"

#include <algorithm>

namespace orrery::cli {
namespace {

Fallible<Nothing> read_tasks(db::Database& database, const LayerOptions& options, TaskHistory& history) {
  db::Statement tasks =
      TRY(database.prepare("SELECT process, task, name, maker, begin_ns, end_ns, running_ns, ready_ns, "
                           "blocked_ns, blocks, quanta, "
                           "yields FROM task WHERE " +
                           options.condition() + " ORDER BY process, begin_ns, task"));
  while (TRY(tasks.step())) {
    TaskLane lane{.key = {tasks.integer(0), tasks.integer(1)},
                  .name = std::string(tasks.text(2)),
                  .begin_ns = tasks.integer(4),
                  .end_ns = tasks.integer(5),
                  .running_ns = tasks.integer(6),
                  .ready_ns = tasks.integer(7),
                  .blocked_ns = tasks.integer(8),
                  .blocks = tasks.integer(9),
                  .quanta = tasks.integer(10),
                  .yields = tasks.integer(11)};
    if (!tasks.is_null(3)) lane.maker = tasks.integer(3);
    history.end_ns = std::max(history.end_ns, lane.end_ns);
    history.lanes.push_back(std::move(lane));
  }
  return Nothing{};
}

Fallible<Nothing> read_stretches(db::Database& database, const LayerOptions& options, TaskHistory& history) {
  std::map<TaskKey, TaskLane*> lanes;
  for (TaskLane& lane : history.lanes) lanes[lane.key] = &lane;
  db::Statement rows = TRY(database.prepare(
      "SELECT process, task, begin_ns, end_ns, state, reason, call, object, ending, owner, event, ticks FROM "
      "task_stretch "
      "WHERE " +
      options.condition() + " ORDER BY begin_ns, end_ns"));
  while (TRY(rows.step())) {
    TaskStretch stretch{.begin_ns = rows.integer(2),
                        .end_ns = rows.integer(3),
                        .event = rows.integer(10),
                        .ticks = rows.integer(11),
                        .state = std::string(rows.text(4)),
                        .reason = std::string(rows.text(5)),
                        .call = std::string(rows.text(6)),
                        .object = std::string(rows.text(7)),
                        .ending = std::string(rows.text(8))};
    if (!rows.is_null(9)) stretch.owner = rows.integer(9);
    lanes.at({rows.integer(0), rows.integer(1)})->stretches.push_back(std::move(stretch));
  }
  return Nothing{};
}

/// The last stretch that begins before that time, or null.
const TaskStretch* stretch_before(const TaskLane& lane, i64 time_ns) {
  auto at = std::upper_bound(lane.stretches.begin(), lane.stretches.end(), time_ns,
                             [](i64 time, const TaskStretch& each) { return time <= each.begin_ns; });
  return at == lane.stretches.begin() ? nullptr : &*std::prev(at);
}

}  // namespace

const TaskLane* TaskHistory::find(const TaskKey& key) const {
  const auto at =
      std::find_if(lanes.begin(), lanes.end(), [&](const TaskLane& lane) { return lane.key == key; });
  return at == lanes.end() ? nullptr : &*at;
}

Fallible<TaskHistory> read_history(db::Database& database, const LayerOptions& options) {
  TaskHistory history;
  TRY(read_tasks(database, options, history));
  TRY(read_stretches(database, options, history));
  db::Statement wakes =
      TRY(database.prepare("SELECT process, task, time_ns, by_process, by_task, by_ns, how FROM wakeup"));
  while (TRY(wakes.step()))
    history.wakes[{{wakes.integer(0), wakes.integer(1)}, wakes.integer(2)}] = {
        {wakes.integer(3), wakes.integer(4)}, wakes.integer(5), std::string(wakes.text(6))};
  db::Statement parents =
      TRY(database.prepare("SELECT process, parent FROM process WHERE parent IS NOT NULL"));
  while (TRY(parents.step())) history.parents[parents.integer(0)] = parents.integer(1);
  return history;
}

namespace {

class PathFinder {
 public:
  PathFinder(const TaskHistory& history, i64 from_ns, std::vector<PathWait>* around)
      : history_(history), from_ns_(from_ns), around_(around) {}

  std::vector<PathPiece> find(const TaskKey& last, i64 to_ns) {
    task_ = last;
    now_ns_ = to_ns;
    while (now_ns_ > from_ns_ && step_back()) {
    }
    std::reverse(pieces_.begin(), pieces_.end());
    return std::move(pieces_);
  }

 private:
  /// False: nothing came before.
  bool step_back() {
    const TaskLane* const lane = history_.find(task_);
    const TaskStretch* const stretch = lane == nullptr ? nullptr : stretch_before(*lane, now_ns_);
    if (stretch == nullptr) return lane != nullptr && to_maker(*lane);
    // A wait that had ended by then; in the midst of one nobody has ended it yet.
    const bool is_whole = stretch->end_ns <= now_ns_;
    if (stretch->state == "blocked" && is_whole) {
      const auto wake = history_.wakes.find({task_, stretch->end_ns});
      if (wake != history_.wakes.end() && wake->second.by != task_ &&
          wake->second.by_ns > stretch->begin_ns) {
        if (now_ns_ > wake->second.by_ns) add(*stretch, wake->second.by_ns);
        if (around_ != nullptr) around_->push_back({task_, *stretch});
        return go_to(wake->second.by, std::min(wake->second.by_ns, now_ns_), wake->second.how);
      }
    }
    add(*stretch, stretch->begin_ns);
    now_ns_ = stretch->begin_ns;
    return true;
  }

  bool to_maker(const TaskLane& lane) {
    const auto wake = history_.wakes.find({task_, lane.begin_ns});
    if (wake != history_.wakes.end()) return go_to(wake->second.by, lane.begin_ns, "made");
    const auto parent = history_.parents.find(task_.first);
    if (parent == history_.parents.end()) return false;
    for (const TaskLane& other : history_.lanes) {
      if (other.key.first != parent->second || other.begin_ns >= lane.begin_ns) continue;
      const TaskStretch* const at = stretch_before(other, lane.begin_ns);
      if (at != nullptr && at->end_ns >= lane.begin_ns && at->state != "ready")
        return go_to(other.key, lane.begin_ns, "fork");
    }
    return false;
  }

  bool go_to(const TaskKey& task, i64 time_ns, const std::string& how) {
    if (!pieces_.empty()) pieces_.back().woken_how = how;
    task_ = task;
    now_ns_ = time_ns;
    return true;
  }

  void add(const TaskStretch& stretch, i64 begin_ns) {
    pieces_.push_back({.task = task_,
                       .what = stretch.state,
                       .reason = stretch.reason,
                       .call = stretch.call,
                       .object = stretch.object,
                       .begin_ns = std::max(begin_ns, from_ns_),
                       .end_ns = now_ns_,
                       .event = stretch.event,
                       .ticks = stretch.ticks});
  }

  const TaskHistory& history_;
  i64 from_ns_;
  std::vector<PathWait>* around_;
  TaskKey task_{};
  i64 now_ns_ = 0;
  std::vector<PathPiece> pieces_;
};

}  // namespace

std::vector<PathPiece> critical_path(const TaskHistory& history, const TaskKey& last, i64 from_ns, i64 to_ns,
                                     std::vector<PathWait>* around) {
  return PathFinder(history, from_ns, around).find(last, to_ns);
}

}  // namespace orrery::cli
