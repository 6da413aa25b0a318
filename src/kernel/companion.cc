#include "kernel/companion.h"

#include <asm/unistd.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "kernel/fd_table.h"
#include "kernel/futex_table.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "kernel/tracing.h"

namespace orrery::kernel {

Process& make_companion(Task& maker, int exit_signal) {
  Process& parent = maker.process;
  Process& lender = parent.owner();
  auto made = std::make_unique<Process>(lender);
  Process& process = *made;
  process.id = ProcessId{lender.next_task_id++};
  process.parent = parent.id;
  process.group = parent.group;
  process.session = parent.session;
  process.credentials = parent.credentials;
  process.actions = parent.actions;
  process.ignored_signals = parent.ignored_signals;
  process.default_ignored_signals = parent.default_ignored_signals;
  process.limits = parent.limits;
  process.cwd = parent.cwd;
  process.exe = parent.exe;
  process.umask = parent.umask;
  process.image = parent.image;
  process.auxv = parent.auxv;
  process.dumpable = parent.dumpable;
  process.no_new_privileges = parent.no_new_privileges;
  process.seccomp = parent.seccomp;
  process.personality = parent.personality;
  process.host_open_files = parent.host_open_files;
  process.exit_signal = exit_signal;
  lender.companions.push_back(std::move(made));
  return process;
}

void companion_ended(Process& companion) {
  release_traced(companion);
  if (Process* const parent = find_process_here(companion, companion.parent.value);
      parent != nullptr && companion.exit_signal != 0 && !parent->exit) {
    const int status = companion.wait_status();
    SignalInfo info = SignalInfo::from_sender(companion.exit_signal, CLD_EXITED, companion.id.value,
                                              companion.credentials.uid);
    if (WIFSIGNALED(status)) info.code = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
    info.set32(SignalInfo::kStatus,
               static_cast<u32>(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
    send_to_process(*parent, info);
  }
  for (const auto& other : companion.owner().companions)
    if (other->parent == companion.id && !other->exit && other->death_signal != 0)
      send_to_process(*other, SignalInfo::from_sender(other->death_signal, SI_USER, companion.id.value,
                                                      companion.credentials.uid));
  companion.scheduler.let_try_again();
}

Process* find_process_here(Process& process, i32 number) {
  Process& owner = process.owner();
  if (owner.id.value == number) return &owner;
  for (const auto& companion : owner.companions)
    if (companion->id.value == number) return companion.get();
  return nullptr;
}

Task* find_task_here(Process& process, i32 number) {
  Process& owner = process.owner();
  if (Task* const task = owner.find_task(TaskId{number}); task != nullptr) return task;
  for (const auto& companion : owner.companions)
    if (Task* const task = companion->find_task(TaskId{number}); task != nullptr) return task;
  return nullptr;
}

bool needs_host_process(u64 number) {
  static constexpr u64 kCalls[] = {
      __NR_fork,          __NR_vfork,         __NR_execve,       __NR_execveat, __NR_setpgid,
      __NR_setsid,        __NR_setuid,        __NR_setgid,       __NR_setreuid, __NR_setregid,
      __NR_setresuid,     __NR_setresgid,     __NR_setfsuid,     __NR_setfsgid, __NR_setgroups,
      __NR_capset,        __NR_setitimer,     __NR_getitimer,    __NR_alarm,    __NR_timer_create,
      __NR_timer_settime, __NR_timer_gettime, __NR_timer_delete, __NR_signalfd, __NR_signalfd4,
      __NR_unshare,       __NR_setns,         __NR_shmat,        __NR_shmdt,    __NR_personality,
  };
  return std::find(std::begin(kCalls), std::end(kCalls), number) != std::end(kCalls);
}

namespace {

/// eligible_child: children of clone(2) with another signal than SIGCHLD are waited for with __WCLONE alone.
bool is_awaited(const Process& child, const WaitedFor& wanted) {
  if (wanted.number != -1 && wanted.number != child.id.value) return false;
  return wanted.any_kind || (child.exit_signal != SIGCHLD) == wanted.clone_children;
}

bool take_companion(Process& parent, const WaitedFor& wanted, LocalChange& change, bool& any) {
  auto& companions = parent.owner().companions;
  for (auto at = companions.begin(); at != companions.end(); ++at) {
    Process& child = **at;
    if (child.parent != parent.id || !is_awaited(child, wanted)) continue;
    if (child.exit && !wanted.ends) continue;  // wait_consider_task: a zombie is none of those to wait for
    any = true;
    if (!child.exit) continue;
    change = {child.id.value, child.wait_status()};
    if (!wanted.keep) companions.erase(at);
    return true;
  }
  return false;
}

}  // namespace

LocalChildren look_at_children_here(Process& parent, const WaitedFor& wanted, LocalChange& change) {
  bool any = false;
  if (take_trace_change(parent, wanted, change, any)) return LocalChildren::changed;
  if (take_companion(parent, wanted, change, any)) return LocalChildren::changed;
  return any ? LocalChildren::running : LocalChildren::none;
}

}  // namespace orrery::kernel
