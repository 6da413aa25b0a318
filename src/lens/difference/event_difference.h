// Where two runs of one program part, as far as their events tell: task by task, so that it does not matter
// in which order tasks came to run.
//
// Two events are on the same way if they are of the same kind, at the same tick and pc: the program got there
// by equally many jumps. On the same way it may ask for something else (another path, other bytes written),
// and may be answered something else (read, clocks, random bytes): what comes in from outside is where runs
// of one program begin to differ.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "lens/lens.h"

namespace orrery::lens {

/// One event of each run, of tasks that correspond; nothing where the task has no more events.
struct EventPair {
  std::array<u32, 2> process{};
  std::array<i32, 2> task{};
  std::array<std::optional<trace::EventHeader>, 2> event{};
};

struct EventDifference {
  /// The first that is not on the same way; by the first run's time, if several tasks part.
  std::optional<EventPair> way{};
  std::optional<EventPair> request{};  ///< the first that asks for something else; before `way`
  /// The first that is answered something else and is none of those that differ in any two runs.
  std::optional<EventPair> answer{};
  std::map<std::string, u64> answers{};  ///< how many before `way`, by what answered
  u64 common_events = 0;                 ///< on the same way
  /// Of each pair of processes, the tasks that have events.
  std::map<std::array<u32, 2>, std::vector<std::array<i32, 2>>> tasks{};
};

/// What an event is: a system call's name, or its kind in words.
std::string event_name(const trace::EventHeader& event);
/// Answers of clocks, random numbers and ids differ in any two runs.
bool differs_always(const trace::EventHeader& event);

/// Processes correspond by the order in which their parents forked them, tasks by the order of their first
/// events. `processes`: those to compare, by number in each run; without, the first and all their children.
Fallible<EventDifference> find_event_difference(const std::array<const Recording*, 2>& runs,
                                                const std::optional<std::array<u32, 2>>& processes);

}  // namespace orrery::lens
