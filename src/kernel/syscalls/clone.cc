// New tasks: threads of the process, processes that use its memory (kernel/companion.h), and processes of
// their own (kernel/fork.h).
#include <asm/unistd.h>
#include <linux/sched.h>
#include <signal.h>

#include <cerrno>

#include "base/text.h"
#include "kernel/companion.h"
#include "kernel/dispatch.h"
#include "kernel/fork.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

// include/uapi/linux/sched.h
constexpr u64 kSignalMask = 0xff, kVm = 0x100, kFs = 0x200, kFiles = 0x400, kSignalHandlers = 0x800;
constexpr u64 kThread = 0x10000, kSemaphoreUndo = 0x40000, kSetTls = 0x80000, kParentSetTid = 0x100000;
constexpr u64 kChildClearTid = 0x200000, kDetached = 0x400000, kUntraced = 0x800000, kChildSetTid = 0x1000000;
constexpr u64 kIo = 0x80000000, kPidfd = 0x1000, kPtrace = 0x2000, kVfork = 0x4000, kParent = 0x8000;
constexpr u64 kClearHandlers = 0x1'0000'0000, kIntoCgroup = 0x2'0000'0000;
constexpr u64 kNewTime = 0x80;
constexpr u64 kNamespaces =
    0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000 | kNewTime;
/// What makes a task a thread that shares everything, and what may come with it.
constexpr u64 kSharing = kVm | kFs | kFiles | kSignalHandlers | kThread;
constexpr u64 kThreadOptions = kSharing | kSemaphoreUndo | kSetTls | kParentSetTid | kChildClearTid |
                               kDetached | kUntraced | kChildSetTid | kIo;
/// What may come with a process. Sharing i/o contexts and semaphore adjustments has no effect that it could
/// see.
constexpr u64 kProcessOptions = kVm | kVfork | kPidfd | kPtrace | kParent | kSemaphoreUndo | kSetTls |
                                kParentSetTid | kChildClearTid | kDetached | kUntraced | kChildSetTid |
                                kClearHandlers | kIo;
/// What makes one that uses its maker's memory beside it (kernel/companion.h), and what may come with it.
constexpr u64 kCompanion = kVm | kFs | kFiles;
constexpr u64 kCompanionOptions = kCompanion | kSemaphoreUndo | kSetTls | kParentSetTid | kChildClearTid |
                                  kDetached | kUntraced | kChildSetTid | kClearHandlers | kIo;
constexpr u64 kTaskSizeMost = 0x7fff'ffff'f000;

/// struct clone_args, its first version.
struct CloneArguments {
  u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_bytes, tls;
  u64 set_tid, set_tid_count, cgroup;
};
constexpr u64 kArgumentsBytesLeast = 64;

i64 cannot_share(Call& call) {
  // libc tries clone3 and then clone: one line for all of them.
  if (first_report(call.process, __NR_clone))
    call.process.say(
        Text()
            .add(call.row.name)
            .add(
                " asks for a process that shares memory, files or directory with this one and runs beside it")
            .add(": ENOSYS")
            .view());
  return -ENOSYS;
}

/// copy_process: what does not fit together.
i64 check(u64 flags) {
  if ((flags & kThread) != 0 && (flags & kSignalHandlers) == 0) return -EINVAL;
  if ((flags & kSignalHandlers) != 0 && (flags & kVm) == 0) return -EINVAL;
  if ((flags & kSignalHandlers) != 0 && (flags & kClearHandlers) != 0) return -EINVAL;
  if ((flags & kPidfd) != 0 && (flags & (kDetached | kThread)) != 0) return -EINVAL;
  return 0;
}

/// The child goes on where its maker does, with 0 as result and a stack of its own.
std::unique_ptr<Task> copy_task(Call& call, const CloneArguments& wanted, Process& process, i32 id) {
  const Task& maker = call.task;
  auto task = std::make_unique<Task>(process, TaskId{id});
  cpu::Registers& regs = task->cpu.regs;
  regs = maker.cpu.regs;
  regs[cpu::Gpr::rax] = 0;
  if (wanted.stack != 0) regs[cpu::Gpr::rsp] = wanted.stack;
  if ((wanted.flags & kSetTls) != 0) regs.fs_base = wanted.tls;
  task->blocked = maker.blocked;
  task->comm = maker.comm;
  if (maker.place && (maker.place->flags & SCHED_FLAG_RESET_ON_FORK) == 0) task->place = maker.place;
  task->altstack = {.flags = maker.altstack.flags};
  if ((wanted.flags & kChildClearTid) != 0) task->clear_child_tid = wanted.child_tid;
  return task;
}

i64 make_thread(Call& call, const CloneArguments& wanted) {
  if ((wanted.flags & kSetTls) != 0 && wanted.tls >= kTaskSizeMost) return -EPERM;
  const i32 id = call.process.owner().next_task_id++;
  auto made = copy_task(call, wanted, call.process, id);
  Task& task = *made;
  call.process.tasks.push_back(std::move(made));
  if (!call.process.scheduler.add(task)) {
    call.process.tasks.pop_back();
    return -EAGAIN;
  }
  // Addresses that cannot be written are the program's own loss, as in the kernel (put_user unchecked).
  if ((wanted.flags & kParentSetTid) != 0) (void)call.space().write_value(wanted.parent_tid, id);
  if ((wanted.flags & kChildSetTid) != 0) (void)call.space().write_value(wanted.child_tid, id);
  return id;
}

/// In the child: where it is to find its number.
void tell_child(Call& call, const CloneArguments& wanted) {
  const i32 id = call.process.id.value;
  if ((wanted.flags & kChildSetTid) != 0) (void)call.space().write_value(wanted.child_tid, id);
  if ((wanted.flags & kChildClearTid) != 0) call.task.clear_child_tid = wanted.child_tid;
}

/// A process that uses the memory of this one and runs beside it.
i64 make_beside(Call& call, const CloneArguments& wanted) {
  if ((wanted.flags & kCompanion) != kCompanion || (wanted.flags & ~kCompanionOptions) != 0)
    return cannot_share(call);
  if ((wanted.flags & kSetTls) != 0 && wanted.tls >= kTaskSizeMost) return -EPERM;
  Process& process = make_companion(call.task, static_cast<int>(wanted.exit_signal));
  const i32 id = process.id.value;
  process.tasks.push_back(copy_task(call, wanted, process, id));
  Task& task = process.leader();
  task.altstack = call.task.altstack;
  if (!call.process.scheduler.add(task)) {
    call.process.owner().companions.pop_back();
    return -EAGAIN;
  }
  if ((wanted.flags & kClearHandlers) != 0)
    for (SignalAction& action : process.actions)
      if (action.handler != kHandlerIgnore) action = {};
  if ((wanted.flags & kParentSetTid) != 0) (void)call.space().write_value(wanted.parent_tid, id);
  if ((wanted.flags & kChildSetTid) != 0) (void)call.space().write_value(wanted.child_tid, id);
  return id;
}

i64 make_process(Call& call, const CloneArguments& wanted) {
  if ((wanted.flags & kNamespaces) != 0) return -EPERM;
  if (wanted.set_tid_count != 0) return -EPERM;
  if ((wanted.flags & kIntoCgroup) != 0) return -EOPNOTSUPP;
  const bool shares = (wanted.flags & kVm) != 0, waits = (wanted.flags & kVfork) != 0;
  if (shares && !waits) return make_beside(call, wanted);
  if (call.process.lender != nullptr || (wanted.flags & ~kProcessOptions) != 0) return cannot_share(call);
  if ((wanted.flags & kSetTls) != 0 && wanted.tls >= kTaskSizeMost) return -EPERM;
  const Forked forked =
      fork_process(call.task, {.host_flags = (wanted.flags & (kPidfd | kParent)) | wanted.exit_signal,
                               .shares_memory = shares,
                               .waits = waits,
                               .clears_handlers = (wanted.flags & kClearHandlers) != 0,
                               .stack = wanted.stack,
                               .sets_tls = (wanted.flags & kSetTls) != 0,
                               .tls = wanted.tls});
  if (forked.result == 0) tell_child(call, wanted);
  if (forked.result <= 0) return forked.result;
  // Addresses that cannot be written are the program's own loss, as in the kernel (put_user unchecked).
  if ((wanted.flags & kParentSetTid) != 0)
    (void)call.space().write_value(wanted.parent_tid, static_cast<i32>(forked.result));
  if ((wanted.flags & kPidfd) != 0) (void)call.space().write_value(wanted.pidfd, forked.pidfd);
  return forked.result;
}

i64 make(Call& call, const CloneArguments& wanted) {
  if (const i64 error = check(wanted.flags); error != 0) return error;
  if ((wanted.flags & kThread) == 0) return make_process(call, wanted);
  if ((wanted.flags & kSharing) != kSharing || (wanted.flags & ~kThreadOptions) != 0)
    return cannot_share(call);
  return make_thread(call, wanted);
}

}  // namespace

i64 sys_clone(Call& call) {
  const auto& args = call.args;
  CloneArguments wanted{};
  wanted.flags = args[0] & 0xffff'ffff & ~kSignalMask;
  wanted.exit_signal = args[0] & kSignalMask;
  wanted.stack = args[1];
  wanted.parent_tid = args[2];
  wanted.child_tid = args[3];
  wanted.tls = args[4];
  if ((wanted.flags & kPidfd) != 0) {
    if ((wanted.flags & kParentSetTid) != 0) return -EINVAL;
    wanted.pidfd = wanted.parent_tid;
  }
  return make(call, wanted);
}

i64 sys_clone3(Call& call) {
  CloneArguments wanted{};
  const u64 bytes = call.args[1];
  if (bytes > kPageBytes) return -E2BIG;
  if (bytes < kArgumentsBytesLeast) return -EINVAL;
  const u64 known = bytes < sizeof wanted ? bytes : sizeof wanted;
  if (!call.space().read(call.args[0], {reinterpret_cast<u8*>(&wanted), known})) return -EFAULT;
  for (u64 at = known; at < bytes; ++at) {
    u8 byte = 0;
    if (!call.space().read_value(call.args[0] + at, byte)) return -EFAULT;
    if (byte != 0) return -E2BIG;
  }
  if ((wanted.flags & (kDetached | kSignalMask)) != 0 || (wanted.stack == 0) != (wanted.stack_bytes == 0))
    return -EINVAL;
  if ((wanted.flags & kThread) != 0 && wanted.exit_signal != 0) return -EINVAL;
  if (wanted.stack != 0) wanted.stack += wanted.stack_bytes;
  return make(call, wanted);
}

i64 sys_fork(Call& call) {
  CloneArguments wanted{};
  wanted.exit_signal = SIGCHLD;
  return make(call, wanted);
}

i64 sys_vfork(Call& call) {
  CloneArguments wanted{};
  wanted.flags = kVfork | kVm;
  wanted.exit_signal = SIGCHLD;
  return make(call, wanted);
}

/// What threads share cannot be taken apart here; new namespaces would move the engine too.
i64 sys_unshare(Call& call) {
  const u64 flags = call.args[0];
  constexpr u64 kHarmless = kFiles | kFs | kVm | kSignalHandlers | kThread | kSemaphoreUndo;
  if ((flags & ~(kHarmless | kNamespaces)) != 0) return -EINVAL;
  if ((flags & kNamespaces) != 0) return -EPERM;
  if (call.process.scheduler.only_task()) return 0;
  return (flags & (kVm | kSignalHandlers | kThread)) != 0 ? -EINVAL
         : (flags & (kFiles | kFs)) != 0                  ? -EPERM
                                                          : 0;
}

}  // namespace orrery::kernel
