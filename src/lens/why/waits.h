// What the tasks of a process were doing when it was ended from outside, or when its recording stops: who
// waits for what and for whom. Read from the replayed guest kernel standing there.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "lens/code_place.h"
#include "lens/run_summary.h"

namespace orrery::lens::why {

enum class Waits : u8 {
  nothing,     ///< it ran
  lock,        ///< a mutex
  read_lock,   ///< a rwlock, to read
  write_lock,  ///< a rwlock, to write
  condition,   ///< a condition variable
  semaphore,   ///< of POSIX threads
  barrier,     ///< of POSIX threads
  futex,       ///< another word in memory that somebody must change
  thread,      ///< the end of a thread
  child,       ///< the end of a child process
  descriptor,  ///< `fd`: to be able to read, write, accept or connect
  readiness,   ///< poll, select, epoll
  timer,       ///< some time
  signal,      ///< a signal
  file_lock,   ///< flock, fcntl
  call,        ///< another system call
};

struct TaskFact {
  u32 process = 0;
  i32 pid = 0;
  i32 task = 0;
  std::string name{};
  Waits waits = Waits::nothing;
  bool for_ever = false;  ///< without a time-out
  u64 number = 0;         ///< of the system call it is in
  std::string call{};     ///< its name; "" if it ran
  std::array<u64, 6> arguments{};
  int fd = -1;
  u64 object_address = 0;  ///< of the lock, condition ... in memory
  std::string object{};    ///< its name, as near as symbols tell
  i32 other = 0;           ///< the task that holds the lock, or that is joined; 0: not known
  u32 readers = 0;         ///< of a rwlock: how many hold it
  bool shared = false;     ///< the futex may be used by other processes
  StackFact stack{};

  const FrameFact* users() const { return stack.users(); }
};

/// A descriptor of a process, and what it stood for when it ended.
struct HeldDescriptor {
  u32 process = 0;
  int fd = -1;
  u64 file = 0;  ///< the same number for the same open file
  std::string kind{}, name{};
  std::string opener{};  ///< the call that made it
  /// Of a pipe: the same number for its two ends; 0 of anything else.
  u64 pipe = 0;
};

/// When the process last did something.
struct Progress {
  u64 run_ns = 0;               ///< from its first event to its last
  u64 quiet_ns = 0;             ///< at the end, since its last event of a system call
  u64 still_ns = 0;             ///< at the end, since one of its tasks had executed anything
  i32 last_task = 0;            ///< of the last event
  u64 last_ticks = 0;           ///< of that task then
  u64 quiet_event = 0;          ///< the event behind that of the last system call
  u64 quiet_ticks = 0;          ///< of last_task then
  std::optional<i32> sender{};  ///< the process that sent the last signal; 0: not of this pid namespace
  int signal_code = 0;          ///< its si_code
};

/// Of the tasks that live at the session's stop.
std::vector<TaskFact> read_tasks(ReplaySession& session, const RunSummary& run);

/// From the events of the process alone.
Progress read_progress(const RunSummary& run);

}  // namespace orrery::lens::why
