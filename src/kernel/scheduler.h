// Which task runs. Tasks of a process are multiplexed on its one host thread: one runs, others are ready in
// the order in which they became so, the rest wait for another task, a descriptor of the host, a time or a
// signal. A task gives up the processor when it waits, when it yields, and when its quantum is over and
// others are ready. All of it follows from the events of the recording, so a replay schedules alike.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "host/host.h"
#include "kernel/schedule_note.h"
#include "kernel/task.h"
#include "kernel/task_switch.h"

namespace orrery::kernel {

/// struct pollfd.
struct Descriptor {
  i32 fd = -1;
  i16 events = 0;
  i16 ready = 0;
};
static_assert(sizeof(Descriptor) == 8);

/// What a task waits for; whichever comes first ends it. A deliverable signal always does.
struct Wait {
  SignalSet signals = 0;                ///< these also when they are blocked
  std::vector<Descriptor> descriptors;  ///< of the host
  bool timed = false;
  i64 deadline_ns = 0;       ///< on CLOCK_MONOTONIC
  bool tries_again = false;  ///< only to make a call again that failed; let_try_again() ends it
  bool traced = false;       ///< stopped for a tracer: no signal but SIGKILL ends it

  // How it ended.
  bool woken = false;  ///< by another task: Scheduler::wake
  bool ready = false;  ///< a descriptor is; see Descriptor::ready
  bool timed_out = false;

  /// Whether the host has to be asked how it goes.
  bool asks_host() const { return timed || !descriptors.empty(); }
};

class Scheduler {
 public:
  explicit Scheduler(host::Host& host) : host_(host) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Without one there is only the first task.
  void set_switch(TaskSwitch* task_switch) { switch_ = task_switch; }

  /// Who is told what tasks do; null: nobody.
  void set_sink(ScheduleSink* sink) { sink_ = sink; }

  void start(Task& first) { current_ = &first; }
  Task& current() { return *current_; }
  /// Whether no other task lives, and no other process waits for its turn: then a host call may sleep with
  /// all of the process.
  bool alone() const { return others_ == 0 && !takes_turns_; }
  bool only_task() const { return others_ == 0; }

  /// The process shares memory with others that it made or that made it: it runs in its turns from now on.
  void join_turns();
  /// A run with --seed: all processes run in turns, always, and what a call waits for without a descriptor is
  /// looked for after others had theirs, and not after some time.
  void join_turns_by_seed();
  bool turns_are_seeded() const { return turns_are_seeded_; }
  void leave_turns();
  bool takes_turns() const { return takes_turns_; }
  /// Asks the host `meets_others()`, whether other processes have a file in common with this one, which is
  /// not to be asked while having the turn: if so they take turns from then on.
  template <class Ask>
  void meet_others(const Ask& meets_others) {
    const bool takes_turns = takes_turns_;
    give_turn();
    const bool with_others = meets_others();
    if (takes_turns)
      take_turn();
    else if (with_others)
      join_turns();
  }
  /// In a forked child: it takes turns if its parent does. Its host has no timer yet.
  void begin_process();
  /// Around what may sleep without the scheduler; nothing, if no turns are taken.
  void give_turn();
  void take_turn();

  /// Makes `task` ready to run for the first time. False: no room for it, or no TaskSwitch.
  bool add(Task& task);
  /// The current task waits. Returns when the wait ended, or a signal is to be delivered to the task, or its
  /// process has ended.
  void block(Wait& wait);
  /// Ends the wait of a task, as Wait::woken.
  void wake(Task& task);
  /// A task did what may let others go on that wait to try again: they do.
  void let_try_again();
  /// A signal became pending: ends the wait of a task to which it is to be delivered.
  void notice_signal(Task& task);
  /// Others that are ready run first.
  void yield() { go_behind(ReadyCause::yield); }
  /// The current task's quantum is over: it yields when it next comes by give_way().
  void end_quantum() { quantum_over_ = true; }
  void give_way();
  /// The current task has ended: others go on. Returns only when the process has ended.
  void retire();
  /// exec: all other tasks are gone, without a word; and another one alone, which is not current.
  void drop_others();
  void drop(Task& task);
  /// The vector state of another task than the current one.
  std::span<const u8> vector_state(const Task& task) const { return switch_->vector_state(task); }

 private:
  struct Waiting {
    Task* task;
    Wait* wait;
  };
  std::vector<Waiting>::iterator find_waiting(const Task& task);
  Task* take_ready();
  void make_ready(Task& task, ReadyCause cause);
  void go_behind(ReadyCause cause);
  void note(ScheduleStep step, const Task& task, ReadyCause cause = ReadyCause::none,
            const Task* other = nullptr);
  void run_next(Task& from);
  void look_at_host(bool may_sleep);
  void end_waits(const std::vector<Descriptor>& descriptors);
  i64 now_ns();
  void reap();

  host::Host& host_;
  TaskSwitch* switch_ = nullptr;
  ScheduleSink* sink_ = nullptr;
  Task* current_ = nullptr;
  u32 others_ = 0;  ///< live tasks besides the current one
  std::vector<Task*> ready_;
  std::vector<Waiting> waiting_;
  std::vector<Task*> ended_;  ///< whose stacks are to be taken
  bool quantum_over_ = false;
  bool takes_turns_ = false;
  bool turns_are_seeded_ = false;
};

}  // namespace orrery::kernel
