#include "cli/why_slowness.h"

#include <algorithm>

#include "cli/collect.h"
#include "cli/sched_rows.h"
#include "cli/why_sights.h"

namespace orrery::cli {
namespace {

using lens::ProcessTree;
using lens::why::Delay;
using lens::why::Sight;
using lens::why::Slowness;
using lens::why::TimePart;

TimePart part_of(const TaskKey& task, const TaskStretch& stretch) {
  return {.process = static_cast<u32>(task.first),
          .task = static_cast<i32>(task.second),
          .state = stretch.state,
          .reason = stretch.reason,
          .call = stretch.call,
          .object = stretch.object,
          .owner = static_cast<i32>(stretch.owner.value_or(0)),
          .begin_ns = static_cast<u64>(stretch.begin_ns),
          .end_ns = static_cast<u64>(stretch.end_ns),
          .event = static_cast<u64>(stretch.event),
          .ticks = static_cast<u64>(stretch.ticks)};
}

/// Ticks of the thread when the stretch that began then was over; 0: not known.
u64 ticks_behind(const TaskLane& lane, i64 end_ns, const ProcessTree& tree) {
  const auto next =
      std::lower_bound(lane.stretches.begin(), lane.stretches.end(), end_ns,
                       [](const TaskStretch& each, i64 time_ns) { return each.begin_ns < time_ns; });
  if (next != lane.stretches.end()) return static_cast<u64>(next->ticks);
  const lens::TreeProcess& process = tree.at(static_cast<u32>(lane.key.first));
  return lane.key.second == process.pid ? process.end_ticks : 0;
}

/// A wait for a lock whose task was woken too late and went on waiting is several stretches: all as one. The
/// task does not leave the lock's function between them, so its ticks hardly move.
TimePart whole_wait(const TaskLane& lane, const TaskStretch& last) {
  constexpr i64 kTicksOfRetryMost = 8;
  TimePart whole = part_of(lane.key, last);
  if (last.reason != "lock") return whole;
  const auto begin = lane.stretches.begin();
  auto at = std::lower_bound(begin, lane.stretches.end(), last.begin_ns,
                             [](const TaskStretch& each, i64 time_ns) { return each.begin_ns < time_ns; });
  i64 ticks = last.ticks;
  whole.same_again = whole.owner != 0;
  while (at != begin) {
    const TaskStretch& before = *--at;
    if (before.state != "blocked") continue;
    if (before.reason != last.reason || before.object != last.object || ticks < before.ticks ||
        ticks - before.ticks > kTicksOfRetryMost)
      break;
    ++whole.in_vain;
    ticks = before.ticks;
    whole.begin_ns = static_cast<u64>(before.begin_ns);
    whole.same_again = whole.same_again && before.owner.value_or(0) == whole.owner;
  }
  return whole;
}

/// The waits that the path goes around, the last one first: each once.
std::vector<TimePart> waits_around(const TaskHistory& history, const std::vector<PathWait>& around) {
  std::vector<TimePart> waits;
  for (const PathWait& wait : around) {
    const auto began = static_cast<u64>(wait.stretch.begin_ns);
    const bool is_told = std::any_of(waits.begin(), waits.end(), [&](const TimePart& later) {
      return later.process == wait.task.first && later.task == wait.task.second && later.begin_ns <= began;
    });
    const TaskLane* const lane = history.find(wait.task);
    if (!is_told)
      waits.push_back(lane == nullptr ? part_of(wait.task, wait.stretch) : whole_wait(*lane, wait.stretch));
  }
  return waits;
}

Fallible<lens::why::TimePath> read_path(const std::string& directory, const ProcessTree& tree, u32 process) {
  db::Database database =
      TRY(collect(directory, {{lens_of_table("process"), lens_of_table("task_stretch")}}));
  const TaskHistory history = TRY(read_history(database, LayerOptions{}));
  lens::why::TimePath path;
  for (const TaskLane& lane : history.lanes) {
    if (lane.key.first != static_cast<i64>(process)) continue;
    std::vector<PathWait> around;
    const auto pieces = critical_path(history, lane.key, lane.begin_ns, lane.end_ns, &around);
    for (const PathPiece& piece : pieces) {
      TimePart& part = path.parts.emplace_back(part_of(piece.task, {.begin_ns = piece.begin_ns,
                                                                    .end_ns = piece.end_ns,
                                                                    .event = piece.event,
                                                                    .ticks = piece.ticks,
                                                                    .state = piece.what,
                                                                    .reason = piece.reason,
                                                                    .call = piece.call,
                                                                    .object = piece.object}));
      if (const TaskLane* const its = history.find(piece.task); its != nullptr && piece.what == "running")
        part.end_ticks = ticks_behind(*its, piece.end_ns, tree);
    }
    for (const TaskStretch& stretch : lane.stretches)
      if (stretch.state == "blocked") path.firsts.push_back(part_of(lane.key, stretch));
    path.waits = waits_around(history, around);
    break;  // the first thread's
  }
  return path;
}

}  // namespace

std::optional<Slowness> read_slowness(const std::string& directory, const ProcessTree& tree, u32 process) {
  const lens::TreeProcess& own = tree.at(process);
  if (own.end_ns < own.start_ns + lens::why::kSlowNsLeast) return std::nullopt;
  auto path = read_path(directory, tree, process);
  if (!path) return std::nullopt;
  Slowness slowness = lens::why::find_slowness(path.value(), process);
  if (slowness.delay == Delay::none) return std::nullopt;
  slowness.sights = see_in(directory, tree, slowness.to_see);
  if (slowness.wait_to_see) {
    std::vector<Sight> sights = see_in(directory, tree, {*slowness.wait_to_see});
    if (!sights.empty()) slowness.wait_sight = std::move(sights.front());
  }
  if (!slowness.to_see.empty() && slowness.to_see.front().process != process)
    slowness.other = lens::why::fact_of(tree.at(slowness.to_see.front().process));
  lens::why::tell_timeouts(slowness);
  if (slowness.delay == Delay::none) return std::nullopt;
  return slowness;
}

}  // namespace orrery::cli
