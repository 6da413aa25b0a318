// While several tasks live no host call may sleep for one of them, so each first asks whether its
// descriptor is ready (syscalls/wait_host.cc) and else waits here. When all wait, one ppoll of the host
// waits for everything that could end any wait; its answer is an event like any other.
//
// When some are ready, those that wait for the host are looked after once a quantum.
#include "kernel/scheduler.h"

#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>

#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/syscalls/time_values.h"

namespace orrery::kernel {

namespace {

bool ends_by_signal(const Task& task, const Wait& wait) {
  constexpr int kKill = 9;
  if (wait.traced) return contains(deliverable_signals(task), kKill);
  if (task.trace && task.trace->interrupt_asked) return true;
  return (deliverable_signals(task) | (pending_signals(task) & wait.signals)) != 0;
}

}  // namespace

bool Scheduler::add(Task& task) {
  if (switch_ == nullptr || !switch_->create(task, *current_)) return false;
  ++others_;
  make_ready(task, ReadyCause::made);
  return true;
}

void Scheduler::note(ScheduleStep step, const Task& task, ReadyCause cause, const Task* other) {
  if (sink_ == nullptr) [[likely]]
    return;
  sink_->noted({.step = step,
                .cause = cause,
                .task = task.id.value,
                .other = other == nullptr ? 0 : other->id.value,
                .number = static_cast<u32>(task.call.number),
                .ticks = task.cpu.ticks});
}

void Scheduler::make_ready(Task& task, ReadyCause cause) {
  const bool by_another =
      cause == ReadyCause::made || cause == ReadyCause::woken || cause == ReadyCause::signal;
  note(ScheduleStep::ready, task, cause, by_another ? current_ : nullptr);
  ready_.push_back(&task);
  host_.set_preemption(true);
}

Task* Scheduler::take_ready() {
  if (ready_.empty()) return nullptr;
  Task* const task = ready_.front();
  ready_.erase(ready_.begin());
  return task;
}

/// Goes on with the next ready task; returns when `from` is current again.
void Scheduler::run_next(Task& from) {
  Task* next = take_ready();
  while (next == nullptr && !from.process.owner().exit) {
    look_at_host(true);
    next = take_ready();
  }
  if (next == nullptr) return;
  note(ScheduleStep::runs, *next, ReadyCause::none, &from);
  if (next == &from) return;
  current_ = next;
  quantum_over_ = false;
  host_.task_runs(next->id.value);
  switch_->switch_to(from, *next);
  current_ = &from;
  reap();
  host_.at({.task = from.id.value, .ticks = from.cpu.ticks, .pc = from.cpu.regs.rip});
}

void Scheduler::block(Wait& wait) {
  Task& task = *current_;
  if (task.process.owner().exit || ends_by_signal(task, wait)) return;
  task.state = Blocked{};
  note(ScheduleStep::waits, task);
  waiting_.push_back({&task, &wait});
  if (wait.asks_host()) host_.set_preemption(true);
  run_next(task);
  // A process that ended while all waited leaves its waits behind.
  if (const auto left = find_waiting(task); left != waiting_.end()) waiting_.erase(left);
  if (!task.ended()) task.state = Runnable{};
}

std::vector<Scheduler::Waiting>::iterator Scheduler::find_waiting(const Task& task) {
  return std::find_if(waiting_.begin(), waiting_.end(),
                      [&](const Waiting& each) { return each.task == &task; });
}

void Scheduler::wake(Task& task) {
  const auto at = find_waiting(task);
  if (at == waiting_.end()) return;
  at->wait->woken = true;
  waiting_.erase(at);
  make_ready(task, ReadyCause::woken);
}

void Scheduler::let_try_again() {
  std::vector<Task*> trying;
  for (const Waiting& each : waiting_)
    if (each.wait->tries_again) trying.push_back(each.task);
  for (Task* const task : trying) wake(*task);
}

void Scheduler::notice_signal(Task& task) {
  const auto at = find_waiting(task);
  if (at == waiting_.end() || !ends_by_signal(task, *at->wait)) return;
  waiting_.erase(at);
  make_ready(task, ReadyCause::signal);
}

void Scheduler::go_behind(ReadyCause cause) {
  if (ready_.empty()) {  // another process may hold what this one spins for
    if (takes_turns_ && !turns_are_seeded_) host_.pass_turn();
    return;
  }
  Task& task = *current_;
  note(ScheduleStep::ready, task, cause);
  ready_.push_back(&task);
  run_next(task);
}

/// Leaves nothing to be done later: guest code may be stopped at ticks where a replay does not come by. A
/// quantum that ends during the look is therefore over with this one.
void Scheduler::give_way() {
  if (!quantum_over_) return;
  if (!waiting_.empty()) look_at_host(false);
  quantum_over_ = false;
  const bool some_wait_for_host = std::any_of(waiting_.begin(), waiting_.end(),
                                              [](const Waiting& each) { return each.wait->asks_host(); });
  const bool needs_no_quanta = !takes_turns_ || turns_are_seeded_;  // under a seed the host sees to that
  if (ready_.empty() && !some_wait_for_host && needs_no_quanta) host_.set_preemption(false);
  give_turn();
  take_turn();
  if (turns_are_seeded_) collect_host_signals(current_->process);  // of those who had their turns
  go_behind(ReadyCause::quantum);
}

void Scheduler::join_turns() {
  if (takes_turns_) return;
  takes_turns_ = true;
  host_.set_preemption(true);
  host_.take_turn();
}

void Scheduler::join_turns_by_seed() {
  takes_turns_ = turns_are_seeded_ = true;
  host_.take_turn();
}

void Scheduler::begin_process() {
  quantum_over_ = false;
  if (!takes_turns_) return;
  if (!turns_are_seeded_) host_.set_preemption(true);
  host_.take_turn();
}

void Scheduler::leave_turns() {
  if (turns_are_seeded_) return;
  give_turn();
  takes_turns_ = false;
}

void Scheduler::give_turn() {
  if (takes_turns_) host_.give_turn();
}

void Scheduler::take_turn() {
  if (takes_turns_) host_.take_turn();
}

void Scheduler::retire() {
  Task& task = *current_;
  if (task.process.owner().exit) return;
  --others_;
  note(ScheduleStep::ended, task);
  ended_.push_back(&task);
  run_next(task);
}

void Scheduler::drop_others() {
  Process& owner = current_->process.owner();
  const auto gather = [&](Process& process) {
    for (const auto& task : process.tasks)
      if (task.get() != current_ && !task->ended()) {
        note(ScheduleStep::ended, *task);
        ended_.push_back(task.get());
      }
  };
  gather(owner);
  for (const auto& companion : owner.companions) gather(*companion);
  ready_.clear();
  waiting_.clear();
  others_ = 0;
  if (!ended_.empty()) reap();
}

void Scheduler::drop(Task& task) {
  std::erase(ready_, &task);
  if (const auto at = find_waiting(task); at != waiting_.end()) waiting_.erase(at);
  --others_;
  note(ScheduleStep::ended, task);
  ended_.push_back(&task);
}

/// Takes what ended tasks leave behind, except that the leader stays until the process ends.
void Scheduler::reap() {
  for (Task* const task : ended_) {
    switch_->destroy(*task);
    host_.task_ended(task->id.value);
    auto& tasks = task->process.tasks;
    if (task != tasks.front().get())
      std::erase_if(tasks, [&](const auto& each) { return each.get() == task; });
  }
  ended_.clear();
}

// --- the host ---

i64 Scheduler::now_ns() { return host_clock(host_, kClockMonotonic).total_nanoseconds(); }

/// One ppoll for all waits: until something ends one of them, or only a look.
void Scheduler::look_at_host(bool may_sleep) {
  std::vector<Descriptor> descriptors;
  const Wait* first = nullptr;
  for (const Waiting& each : waiting_) {
    descriptors.insert(descriptors.end(), each.wait->descriptors.begin(), each.wait->descriptors.end());
    if (each.wait->timed && (first == nullptr || each.wait->deadline_ns < first->deadline_ns))
      first = each.wait;
  }
  TimeValue left;
  if (may_sleep && first != nullptr) {
    const i64 ns = std::max<i64>(first->deadline_ns - now_ns(), 0);
    left = {ns / static_cast<i64>(kNanosecondsPerSecond), ns % static_cast<i64>(kNanosecondsPerSecond)};
  }
  const bool forever = may_sleep && first == nullptr;
  host::HostCall poll;
  poll.number = __NR_ppoll;
  poll.args = {reinterpret_cast<u64>(descriptors.data()), descriptors.size(),
               forever ? 0 : reinterpret_cast<u64>(&left), 0, 0};
  poll.checked_args = 0b00010;
  const u64 bytes = descriptors.size() * sizeof(Descriptor);
  if (bytes != 0) {
    poll.in.add({reinterpret_cast<u64>(descriptors.data()), bytes});
    poll.out.add({.address = reinterpret_cast<u64>(descriptors.data()), .capacity_bytes = bytes});
  }
  poll.ends_by_others = may_sleep && turns_are_seeded_ &&
                        std::any_of(waiting_.begin(), waiting_.end(),
                                    [](const Waiting& each) { return each.wait->tries_again; });
  if (may_sleep) give_turn();
  const i64 result = host_.call(poll);
  if (may_sleep) take_turn();
  if (result == -EINTR) {
    collect_host_signals(current_->process);
    return;
  }
  end_waits(descriptors);
  if (poll.ends_by_others) let_try_again();
}

void Scheduler::end_waits(const std::vector<Descriptor>& descriptors) {
  const bool any_timed =
      std::any_of(waiting_.begin(), waiting_.end(), [](const Waiting& each) { return each.wait->timed; });
  const i64 now = any_timed ? now_ns() : 0;
  std::size_t at = 0;
  struct Done {
    Task* task;
    ReadyCause cause;
  };
  std::vector<Done> done;
  for (const Waiting& each : waiting_) {
    Wait& wait = *each.wait;
    for (Descriptor& descriptor : wait.descriptors) {
      descriptor.ready = descriptors[at++].ready;
      wait.ready = wait.ready || descriptor.ready != 0;
    }
    wait.timed_out = wait.timed && wait.deadline_ns <= now;
    if (wait.ready || wait.timed_out)
      done.push_back({each.task, wait.ready ? ReadyCause::descriptor : ReadyCause::timeout});
  }
  for (const Done& each : done) {
    waiting_.erase(find_waiting(*each.task));
    make_ready(*each.task, each.cause);
  }
}

}  // namespace orrery::kernel
