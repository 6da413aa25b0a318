// Functions that order what threads do: those of POSIX and C11 threads, and those of the C++ ABI that guard
// local statics (Itanium C++ ABI, 3.3.3). They are known by their names, whoever provides them.
#pragma once

#include <map>
#include <string_view>

#include "base/types.h"
#include "elf/stopped_machine_hosted.h"

namespace orrery::lens::races {

enum class ThreadFunctionKind : u8 {
  join,    ///< argument: the thread, by what pthread_self() is there
  lock,    ///< argument: the lock
  unlock,  ///< of whichever kind of lock
  unlock_or_make,
  make_lock,  ///< what was there before is another lock
  destroy_lock,
  wait_condition,  ///< arguments: condition and lock
  signal,          ///< argument: the condition
  read_lock,       ///< argument: the lock
  post,            ///< argument: the semaphore
  wait_semaphore,  ///< likewise
  make_barrier,    ///< arguments: the barrier, -, how many wait for each other
  wait_barrier,
  once,         ///< argument: what remembers whether it was done
  guard_begin,  ///< argument: a static's guard
  guard_end,    ///< likewise: it is made
  create,       ///< what it does inside is its own
};

struct ThreadFunction {
  std::string_view name;
  ThreadFunctionKind kind;
  bool tries = false;  ///< does not wait without end, so it closes no circle of waiting
  i64 success = 0;     ///< what it returns when it has done it
};

/// Those that a mapped file defines, by run-time address; none if `region` shows no ELF file that is kept.
std::map<u64, const ThreadFunction*> find_thread_functions(elf::StoppedMachine& machine,
                                                           const elf::MappedRegion& region);

}  // namespace orrery::lens::races
