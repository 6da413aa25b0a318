// What each task of a process did when: running, ready, or blocked in which call, from the guest kernel's own
// notes of a replay and the times of the recording's events.
//
// Notes carry no times: a replay has none. Each lies in the stretch between two events, and within it the
// ticks of all tasks together say how far. While a task sleeps on the host there is an event with its
// duration, so waits are as exact as the recording's clock; a switch amid computing is off by what the
// stretch's ticks are unlike each other.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "kernel/schedule_note.h"
#include "lens/lens.h"
#include "trace/trace_file_hosted.h"

namespace orrery::lens::sched {

enum class TaskState : u8 { running, ready, blocked };

/// How a stretch ended: of running ones what took the processor away, of blocked ones what ended the wait, of
/// ready ones that they ran.
enum class StretchEnd : u8 {
  none,  ///< with the process
  ran,
  blocked,
  quantum,
  yielded,
  exited,
  woken,  ///< by another task of the process
  ready,  ///< a descriptor was, or the host answered
  timeout,
  signal,
};

/// The system call that a blocked task is in.
struct WaitingCall {
  u32 number = 0;
  u64 arguments[6] = {};
  u32 word = 0, owner = 0;  ///< of a futex: its word, and what glibc's mutexes keep behind it
};

struct Stretch {
  i32 task = 0;
  TaskState state = TaskState::running;
  StretchEnd end = StretchEnd::none;
  bool made = false;  ///< ready for the first time
  u64 begin_ns = 0, end_ns = 0;
  u64 event = 0, ticks = 0;           ///< the instant of its beginning
  std::optional<WaitingCall> call{};  ///< of a blocked one
  u64 futex_wait = 0;  ///< counts the task's waits on futexes that others of the process saw; else 0
  i32 other = 0;       ///< the task that woke or made it
  u32 waker_call = 0;  ///< what that was doing
  u64 waker_event = 0, waker_ticks = 0;
  u64 turns = 1;  ///< so many of a task that only yields are merged, one behind the other; see Turns
};

/// A task that only yields, and lets others run, makes millions of stretches. After kTurnsApart in a row each
/// kTurnsMerged turns are one: it ran as long as in all of them, and then was ready as long.
inline constexpr u64 kTurnsApart = 256, kTurnsMerged = 1024;

class TaskTimeline {
 public:
  using Consumer = std::function<void(const Stretch&)>;

  /// `consumer` is given each stretch when it has ended; those of one task come in order.
  TaskTimeline(const Recording& recording, const TreeProcess& process, Consumer consumer);

  void note(const kernel::ScheduleNote& note);
  /// The process has ended, or the recording.
  void end();

 private:
  struct Task {
    Stretch now{};
    std::optional<Stretch> slept{};  ///< the one before `now`, in the call it is in or was in last
    bool in_call = false;
    u64 futex_waits = 0;
    WaitingCall call{};
    u64 call_event = 0, call_ticks = 0;
  };
  struct Pending {
    kernel::ScheduleNote note;
    u64 ticks;  ///< of all tasks together
    u64 turns = 1;
  };
  /// Of one task. Ticks are those of all tasks together.
  struct Turns {
    u64 in_a_row = 0;
    u64 merged = 0;  ///< in the block that is being made
    bool is_ready = false;
    u64 ran_from = 0, ready_from = 0;       ///< in the last turn
    u64 begin = 0, running = 0, ready = 0;  ///< of the block
    kernel::ScheduleNote yields{}, runs{};  ///< its first, its last
    u64 left_ready = 1;                     ///< turns of the block that was told while the task was ready
  };

  u64 advance(i32 task, u64 ticks);
  bool merge(const kernel::ScheduleNote& note, u64 ticks);
  void tell_turns(Turns& turns);
  void tell_all_turns();
  void close_stretch();
  void apply_event();
  void apply(const kernel::ScheduleNote& note, u64 time_ns);
  void change(Task& task, TaskState state, StretchEnd end, u64 time_ns, const kernel::ScheduleNote& at);
  void begin_wait(Task& task, u64 time_ns, const kernel::ScheduleNote& note);
  void make_ready(Task& task, u64 time_ns, const kernel::ScheduleNote& note);
  void tell_slept(Task& task);
  void sleep_alone(Task& task, u64 begin_ns, u64 end_ns);
  void next_event();
  Task& task_of(i32 task, u64 time_ns);
  Task* running_task(i32 task);

  const Recording& recording_;
  Consumer consumer_;
  trace::TraceReader reader_;
  trace::EventHeader next_;
  bool more_ = false;
  u64 begin_ns_ = 0;   ///< of the process
  u64 before_ns_ = 0;  ///< end of the event before `next_`
  u64 ticks_before_ = 0, ticks_ = 0;
  std::map<i32, u64> ticks_of_;  ///< of each task so far
  bool has_begun_ = false;       ///< the first task is known
  std::vector<Pending> pending_;
  std::map<i32, Turns> turns_;
  u64 turns_ended_ = 1;  ///< by the note that is being applied
  std::map<i32, Task> tasks_;
};

}  // namespace orrery::lens::sched
