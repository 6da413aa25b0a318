#include "kernel/tracing.h"

#include <signal.h>

#include <algorithm>

#include "kernel/scheduler.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

constexpr i32 kEventStop = 128;  // PTRACE_EVENT_STOP
constexpr i32 kStopped = 0x7f;   // of a wait status

/// do_notify_parent_cldstop: the tracer's SIGCHLD, and its waits.
void tell_tracer(Task& task) {
  Process& tracer = task.trace->tracer->process;
  SignalInfo info =
      SignalInfo::from_sender(SIGCHLD, CLD_TRAPPED, task.id.value, task.process.credentials.uid);
  info.set32(SignalInfo::kStatus, static_cast<u32>(task.trace->stop_status >> 8 & 0x7f));
  send_to_process(tracer, info);
  task.process.scheduler.let_try_again();
}

/// ptrace_stop. Returns when the tracer has let the task go, is gone itself, or somebody has killed the task.
void stop(Task& task, i32 status, const SignalInfo& info) {
  Trace& trace = *task.trace;
  trace.stop_status = status;
  trace.reported = false;
  trace.info = info;
  task.passed_signal = 0;
  tell_tracer(task);
  while (task.trace && task.trace->stop_status != 0) {
    Wait wait;
    wait.traced = true;
    task.process.scheduler.block(wait);
    if (contains(deliverable_signals(task), SIGKILL) || task.process.owner().exit) break;
  }
  if (task.trace) task.trace->stop_status = 0;
}

template <class Visit>
void for_each_task_here(Process& process, const Visit& visit) {
  Process& owner = process.owner();
  for (const auto& task : owner.tasks) visit(*task);
  for (const auto& companion : owner.companions)
    for (const auto& task : companion->tasks) visit(*task);
}

}  // namespace

void stop_for_signal(Task& task, SignalInfo& info) {
  if (!task.trace || info.number == SIGKILL) return;
  stop(task, info.number << 8 | kStopped, info);
  const int passed = task.passed_signal;
  if (passed != 0 && passed != info.number)
    info = SignalInfo::from_sender(passed, SI_USER, task.process.id.value, task.process.credentials.uid);
  info.number = passed;
}

void stop_if_interrupted(Task& task) {
  if (!task.trace || !task.trace->interrupt_asked) return;
  task.trace->interrupt_asked = false;
  SignalInfo info;
  info.number = SIGTRAP;
  info.code = kEventStop << 8 | SIGTRAP;
  stop(task, kEventStop << 16 | SIGTRAP << 8 | kStopped, info);
}

void let_go_on(Task& task, int signal) {
  task.passed_signal = signal;
  task.trace->stop_status = 0;
  task.process.scheduler.wake(task);
}

void end_trace(Task& task) {
  task.trace.reset();
  task.process.scheduler.wake(task);
}

void release_traced(Process& tracer) {
  for (const auto& task : tracer.tasks) release_traced(*task);
}

void release_traced(Task& tracer) {
  for_each_task_here(tracer.process, [&](Task& task) {
    if (!task.trace || task.trace->tracer != &tracer) return;
    const bool stopped = task.trace->stop_status != 0;
    task.trace.reset();
    if (stopped) task.process.scheduler.wake(task);
  });
}

void note_end_of_traced(Task& task, i32 status) {
  if (!task.trace) return;
  Process& tracer = task.trace->tracer->process;
  const bool is_child = &task == &task.process.leader() && task.process.parent == tracer.id;
  if (!is_child) tracer.ended_tracees.push_back({task.id.value, status});
  task.trace.reset();
  task.process.scheduler.let_try_again();
}

bool take_trace_change(Process& tracer, const WaitedFor& wanted, LocalChange& change, bool& any) {
  const i32 number = wanted.number;
  auto& ended = tracer.ended_tracees;
  for (auto at = ended.begin(); at != ended.end(); ++at) {
    if (!wanted.ends || (number != -1 && number != at->task)) continue;
    any = true;
    change = {at->task, at->status};
    if (!wanted.keep) ended.erase(at);
    return true;
  }
  bool found = false;
  for_each_task_here(tracer, [&](Task& task) {
    if (found || !task.trace || &task.trace->tracer->process != &tracer) return;
    if (number != -1 && number != task.id.value) return;
    any = true;
    if (task.trace->stop_status == 0 || task.trace->reported) return;
    change = {task.id.value, task.trace->stop_status};
    if (!wanted.keep) task.trace->reported = true;
    found = true;
  });
  return found;
}

}  // namespace orrery::kernel
