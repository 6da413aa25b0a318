// Where the time of a run went that was slow: what its critical path (docs/sched.md) consists of, and the one
// reason that more than half of it has, if there is one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lens/call.h"
#include "lens/code_place.h"
#include "lens/why/culprit.h"

namespace orrery::lens::why {

/// A stretch of a thread's time. Times are ns since the recording began.
struct TimePart {
  u32 process = 0;
  i32 task = 0;
  std::string state{}, reason{}, call{}, object{};  ///< as in the table task_stretch
  i32 owner = 0;                                    ///< of a lock; 0: not known
  u32 in_vain = 0;                                  ///< of a lock: so often it was woken, and too late
  bool same_again = false;                          ///< each time it was the same thread that held it
  u64 begin_ns = 0, end_ns = 0;
  u64 event = 0, ticks = 0;  ///< at its beginning; of a wait, at the call
  u64 end_ticks = 0;         ///< of one that ran; 0: not known

  u64 ns() const { return end_ns - begin_ns; }
};

struct TimePath {
  std::vector<TimePart> parts{};   ///< what had to happen one after the other, in order
  std::vector<TimePart> waits{};   ///< that ended by what the path shows meanwhile
  std::vector<TimePart> firsts{};  ///< all waits of the thread to whose end it leads
};

enum class Delay : u8 {
  none,       ///< no reason has more than half
  lock,       ///< others held a lock
  child,      ///< child processes
  peer,       ///< others at the end of a pipe or connection, or out of the recording
  timeouts,   ///< waits that each ran into their time-out
  disk,       ///< calls on files
  sleep,      ///< it let time pass
  computing,  ///< one process's threads ran
};

/// Where a part of the path, or a wait, was seen: at its call, with what that returned; or while it ran.
struct Sight {
  TimePart part{};
  StackFact stack{};
  std::optional<Call> call{};
};

struct Slowness {
  Delay delay = Delay::none;
  u64 wall_ns = 0;                        ///< from the process's beginning to its end
  u64 delay_ns = 0;                       ///< of these
  u64 ready_ns = 0;                       ///< of wall_ns: a thread was ready, and others ran
  u64 count = 0;                          ///< parts of the path, or waits, that are of this kind
  std::string object{};                   ///< the lock's name; of files that with most of it
  u64 object_ns = 0;                      ///< of delay_ns on that file
  std::vector<TimePart> to_see{};         ///< the longest parts, in order; of computing, moments
  std::optional<TimePart> wait_to_see{};  ///< the longest wait for the lock, child, peer or other thread
  std::optional<ProcessFact> other{};     ///< the process of to_see, where it is not the one explained
  std::vector<Sight> sights{};            ///< of to_see, those that were found
  std::optional<Sight> wait_sight{};      ///< of wait_to_see
};

/// A run that took less is not slow.
inline constexpr u64 kSlowNsLeast = 1'000'000'000;

/// All but what is to be found in a replay: `other`, the sights. `process`: to whose end the path leads.
Slowness find_slowness(const TimePath& path, u32 process);

/// What was taken for a wait for a peer, by what its calls returned.
void tell_timeouts(Slowness& slowness);

}  // namespace orrery::lens::why
