// What a task waits for in a system call, in one word: the kinds that the reports sum over.
#pragma once

#include <set>

#include "lens/io/descriptor_history.h"
#include "lens/sched/task_timeline.h"

namespace orrery::lens::sched {

enum class WaitKind : u8 {
  lock,    ///< a mutex or another lock that sleeps on a futex
  futex,   ///< a condition, a semaphore, a barrier
  thread,  ///< the end of a thread
  child,   ///< the end of a process
  pipe,
  socket,
  disk,       ///< a file
  readiness,  ///< one of several descriptors: poll, select, epoll
  timer,
  signal,
  file_lock,
  semaphore,  ///< of System V, or a queue
  other,
};
inline constexpr u32 kWaitKindCount = 13;

/// "lock", "condition", ...
const char* name_of(WaitKind kind);

/// `file`: what the descriptor stands for that the call waits on, if it does on one; `tasks`: of the process.
WaitKind kind_of(const WaitingCall& call, const io::OpenFile* file, const std::set<i32>& tasks);

/// The descriptor among the arguments of a call that waits on one; -1 if there is none.
int descriptor_of(const WaitingCall& call);

}  // namespace orrery::lens::sched
