#include "lens/sched/task_timeline.h"

#include <asm/unistd.h>

#include <algorithm>
#include <utility>

namespace orrery::lens::sched {

using kernel::ReadyCause;
using kernel::ScheduleNote;
using kernel::ScheduleStep;

namespace {

/// A turn that came sooner was not waited for.
constexpr u64 kTurnWaitLeastNs = trace::EventHeader::kWaitLeastNs;

StretchEnd end_of(ReadyCause cause) {
  switch (cause) {
    case ReadyCause::woken:
      return StretchEnd::woken;
    case ReadyCause::timeout:
      return StretchEnd::timeout;
    case ReadyCause::signal:
      return StretchEnd::signal;
    case ReadyCause::quantum:
      return StretchEnd::quantum;
    case ReadyCause::yield:
      return StretchEnd::yielded;
    case ReadyCause::none:
    case ReadyCause::made:
    case ReadyCause::descriptor:
      break;
  }
  return StretchEnd::ready;
}

}  // namespace

TaskTimeline::TaskTimeline(const Recording& recording, const TreeProcess& process, Consumer consumer)
    : recording_(recording), consumer_(std::move(consumer)), reader_(recording.trace, process.process) {
  begin_ns_ = before_ns_ = recording.since_begin(process.start_ns);
  next_event();
}

void TaskTimeline::next_event() {
  trace::EventView view;
  more_ = reader_.next(view) == trace::ReadStatus::event;
  if (more_) next_ = *view.header;
}

u64 TaskTimeline::advance(i32 number, u64 ticks) {
  const auto [before, is_new] = ticks_of_.try_emplace(number, ticks);
  ticks_ += ticks - std::min(ticks, before->second);
  before->second = ticks;
  return ticks_;
}

/// A task that nobody has told of runs: the first one, since the process began, or one that took the process
/// over by an exec.
TaskTimeline::Task& TaskTimeline::task_of(i32 number, u64 time_ns) {
  const auto [at, is_new] = tasks_.try_emplace(number);
  if (is_new) at->second.now = {.task = number, .begin_ns = has_begun_ ? time_ns : begin_ns_};
  has_begun_ = true;
  return at->second;
}

/// The one that an event is of, if it runs: what ends the waits of others is an event of who waited last.
TaskTimeline::Task* TaskTimeline::running_task(i32 number) {
  const auto at = tasks_.find(number);
  return at != tasks_.end() && at->second.now.state == TaskState::running ? &at->second : nullptr;
}

void TaskTimeline::note(const ScheduleNote& note) {
  while (more_ && next_.number < note.event) close_stretch();
  const u64 ticks = advance(note.task, note.ticks);
  if (!merge(note, ticks)) pending_.push_back({note, ticks});
}

/// True if the note is kept here, as one of a task that only yields.
bool TaskTimeline::merge(const ScheduleNote& note, u64 ticks) {
  const bool is_call = note.step == ScheduleStep::call || note.step == ScheduleStep::returned;
  if (is_call && note.number == __NR_sched_yield) return true;
  Turns& turns = turns_[note.task];
  if (note.step == ScheduleStep::runs) {
    turns.ran_from = ticks;
    if (turns.merged == 0) {
      pending_.push_back({note, ticks, std::exchange(turns.left_ready, 1)});
      return true;
    }
    turns.ready += ticks - turns.ready_from;
    turns.runs = note;
    turns.is_ready = false;
    if (turns.merged >= kTurnsMerged) tell_turns(turns);
    return true;
  }
  if (note.step != ScheduleStep::ready || note.cause != ReadyCause::yield) {
    tell_turns(turns);
    // A quantum's end does not end the spinning.
    if (note.step != ScheduleStep::ready) turns.in_a_row = 0;
    return false;
  }
  if (++turns.in_a_row <= kTurnsApart) return false;
  if (turns.merged++ == 0) {
    turns.yields = note;
    turns.begin = turns.ran_from;
  }
  turns.running += ticks - turns.ran_from;
  turns.ready_from = ticks;
  turns.is_ready = true;
  return true;
}

void TaskTimeline::tell_turns(Turns& turns) {
  if (turns.merged == 0) return;
  const u64 yielded = turns.begin + turns.running;
  pending_.push_back({turns.yields, yielded, turns.merged});
  if (turns.is_ready)
    turns.left_ready = turns.merged;
  else
    pending_.push_back({turns.runs, yielded + turns.ready, turns.merged});
  turns.merged = turns.running = turns.ready = 0;
  turns.is_ready = false;
}

void TaskTimeline::tell_all_turns() {
  for (auto& [task, turns] : turns_) tell_turns(turns);
}

/// Between two events time goes on with the ticks.
void TaskTimeline::close_stretch() {
  tell_all_turns();
  const u64 ticks_next = advance(next_.task, next_.ticks);
  const u64 next_ns = std::max(before_ns_, recording_.since_begin(next_.begin_ns()));
  const u64 ticks = ticks_next - ticks_before_;
  for (const Pending& each : pending_) {
    const double part =
        ticks == 0 ? 0 : static_cast<double>(each.ticks - ticks_before_) / static_cast<double>(ticks);
    turns_ended_ = each.turns;
    apply(each.note, before_ns_ + static_cast<u64>(part * static_cast<double>(next_ns - before_ns_)));
  }
  turns_ended_ = 1;
  pending_.clear();
  ticks_before_ = ticks_next;
  apply_event();
  before_ns_ = std::max(next_ns, recording_.since_begin(next_.end_ns()));
  next_event();
}

/// Calls in which the whole process slept, and waits for its turn among the processes that share memory.
void TaskTimeline::apply_event() {
  Task* const task = running_task(next_.task);
  if (task == nullptr) return;
  const u64 begin_ns = std::max(task->now.begin_ns, recording_.since_begin(next_.begin_ns()));
  const u64 end_ns = recording_.since_begin(next_.end_ns());
  if (next_.kind == trace::EventKind::syscall && next_.duration_ns() != 0 && task->in_call) {
    sleep_alone(*task, begin_ns, end_ns);
  } else if (next_.kind == trace::EventKind::turn && begin_ns >= before_ns_ + kTurnWaitLeastNs) {
    const ScheduleNote here{.task = next_.task, .event = next_.number, .ticks = next_.ticks};
    change(*task, TaskState::ready, StretchEnd::quantum, before_ns_, here);
    change(*task, TaskState::running, StretchEnd::ran, begin_ns, here);
  }
}

/// The recorder's quantum may have ended a sleep that goes on in the same call.
void TaskTimeline::sleep_alone(Task& task, u64 begin_ns, u64 end_ns) {
  const ScheduleNote here{.task = next_.task, .event = next_.number, .ticks = next_.ticks};
  if (task.slept) {
    task.slept->end_ns = task.now.begin_ns = end_ns;
    return;
  }
  change(task, TaskState::blocked, StretchEnd::blocked, begin_ns, here);
  task.now.call = task.call;
  task.now.event = task.call_event;
  task.now.ticks = task.call_ticks;
  task.now.end = StretchEnd::ready;
  task.now.end_ns = std::max(end_ns, task.now.begin_ns);
  task.slept = task.now;
  task.now = {.task = task.now.task, .begin_ns = task.now.end_ns, .event = here.event, .ticks = here.ticks};
}

void TaskTimeline::tell_slept(Task& task) {
  if (task.slept) consumer_(*task.slept);
  task.slept.reset();
}

void TaskTimeline::change(Task& task, TaskState state, StretchEnd end, u64 time_ns, const ScheduleNote& at) {
  tell_slept(task);
  task.now.end = end;
  task.now.turns = turns_ended_;
  task.now.end_ns = std::max(time_ns, task.now.begin_ns);
  if (task.now.end_ns > task.now.begin_ns || task.now.state == TaskState::blocked) consumer_(task.now);
  task.now = {.task = task.now.task,
              .state = state,
              .begin_ns = task.now.end_ns,
              .event = at.event,
              .ticks = at.ticks};
}

void TaskTimeline::apply(const ScheduleNote& note, u64 time_ns) {
  Task& task = task_of(note.task, time_ns);
  switch (note.step) {
    case ScheduleStep::call:
      task.in_call = true;
      task.call = {.number = note.number};
      std::copy(std::begin(note.words), std::end(note.words), task.call.arguments);
      task.call_event = note.event;
      task.call_ticks = note.ticks;
      return;
    case ScheduleStep::returned:
      task.in_call = false;
      tell_slept(task);
      return;
    case ScheduleStep::waits:
      return begin_wait(task, time_ns, note);
    case ScheduleStep::ready:
      return make_ready(task, time_ns, note);
    case ScheduleStep::runs:
      if (task.now.state != TaskState::running)
        change(task, TaskState::running, StretchEnd::ran, time_ns, note);
      return;
    case ScheduleStep::ended:
      change(task, TaskState::running, StretchEnd::exited, time_ns, note);
      tasks_.erase(note.task);
      return;
  }
}

void TaskTimeline::begin_wait(Task& task, u64 time_ns, const ScheduleNote& note) {
  change(task, TaskState::blocked, StretchEnd::blocked, time_ns, note);
  task.call.word = static_cast<u32>(note.words[0]);
  task.call.owner = static_cast<u32>(note.words[1]);
  task.now.call = task.call;
  task.now.event = task.call_event;
  task.now.ticks = task.call_ticks;
  if (note.number == __NR_futex) task.now.futex_wait = ++task.futex_waits;
}

void TaskTimeline::make_ready(Task& task, u64 time_ns, const ScheduleNote& note) {
  const auto waker = tasks_.find(note.other);
  const bool is_known = note.other != 0 && waker != tasks_.end();
  const auto tell = [&](Stretch& stretch) {
    stretch.other = note.other;
    if (!is_known) return;
    stretch.waker_call = waker->second.in_call ? waker->second.call.number : ~u32{0};
    stretch.waker_event = waker->second.call_event;
    stretch.waker_ticks = waker->second.call_ticks;
  };
  if (note.cause == ReadyCause::made) {
    task.now = {.task = note.task,
                .state = TaskState::ready,
                .made = true,
                .begin_ns = time_ns,
                .event = note.event,
                .ticks = note.ticks};
    return tell(task.now);
  }
  if (task.now.state == TaskState::blocked) tell(task.now);
  change(task, TaskState::ready, end_of(note.cause), time_ns, note);
}

void TaskTimeline::end() {
  while (more_) close_stretch();
  tell_all_turns();
  for (const Pending& each : pending_) {
    turns_ended_ = each.turns;
    apply(each.note, before_ns_);
  }
  pending_.clear();
  for (auto& [number, task] : tasks_) {
    tell_slept(task);
    task.now.end_ns = std::max(task.now.begin_ns, before_ns_);
    consumer_(task.now);
  }
  tasks_.clear();
}

}  // namespace orrery::lens::sched
