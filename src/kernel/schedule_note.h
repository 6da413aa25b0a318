// What tasks do, told as it happens to whoever asks about a replay: calls, waits, who ended them and who
// runs. Nobody else has a ScheduleSink, and telling changes nothing of the run.
#pragma once

#include "base/types.h"

namespace orrery::kernel {

enum class ScheduleStep : u8 {
  call = 0,  ///< `task` makes a system call; words: its arguments
  returned =
      1,      ///< the call is over; words[0]: its result, before a signal's handler or a restart changes it
  waits = 2,  ///< `task` gives up the processor until something happens; words of a futex: 16 bytes of it
  ready = 3,  ///< `task` may run again, see ReadyCause; `other` is who did that
  runs = 4,   ///< `task` runs in place of `other`
  ended = 5,  ///< `task` is gone
};

enum class ReadyCause : u8 {
  none = 0,
  made = 1,        ///< it is new; by `other`
  woken = 2,       ///< by what `other` did
  descriptor = 3,  ///< of the host, which is ready
  timeout = 4,
  signal = 5,   ///< is to be delivered
  quantum = 6,  ///< it ran for as long as it may while others are ready
  yield = 7,    ///< it let others run
};

struct ScheduleNote {
  ScheduleStep step = ScheduleStep::call;
  ReadyCause cause = ReadyCause::none;
  u16 reserved = 0;
  i32 task = 0;
  i32 other = 0;   ///< a task, 0 if there is none
  u32 number = 0;  ///< of the system call
  u64 event = 0;   ///< the process's next event
  u64 ticks = 0;   ///< of `task`
  u64 words[6] = {};
};
static_assert(sizeof(ScheduleNote) == 80);

class ScheduleSink {
 public:
  virtual void noted(ScheduleNote note) = 0;

 protected:
  ~ScheduleSink() = default;
};

}  // namespace orrery::kernel
