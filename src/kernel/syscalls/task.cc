// What a task may ask and tell about itself: its id, its CPU, the addresses it registers.
#include <algorithm>
#include <cerrno>

#include "kernel/forward.h"
#include "kernel/scheduler.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kRobustHeadBytes = 24;  // struct robust_list_head

// The guest has one CPU, number 0; masks are one word.
constexpr u64 kCpuMask = 1;
constexpr u32 kCpuNumber = 0;

/// The task with that id, 0 being the caller; null if it is not of this process.
Task* find(Call& call, u64 argument) {
  const auto id = static_cast<i32>(argument);
  return id == 0 ? &call.task : call.process.find_task(TaskId{id});
}

enum MembarrierCommand : i32 {
  kQuery = 0,
  kGlobal = 1,
  kGlobalExpedited = 2,
  kRegisterGlobalExpedited = 4,
  kPrivateExpedited = 8,
  kRegisterPrivateExpedited = 16,
  kPrivateExpeditedSyncCore = 32,
  kRegisterPrivateExpeditedSyncCore = 64,
};
constexpr i32 kMembarrierCommands = kGlobal | kGlobalExpedited | kRegisterGlobalExpedited |
                                    kPrivateExpedited | kRegisterPrivateExpedited |
                                    kPrivateExpeditedSyncCore | kRegisterPrivateExpeditedSyncCore;

}  // namespace

i64 sys_gettid(Call& call) { return call.task.id.value; }

i64 sys_set_tid_address(Call& call) {
  call.task.clear_child_tid = call.args[0];
  return call.task.id.value;
}

i64 sys_set_robust_list(Call& call) {
  if (call.args[1] != kRobustHeadBytes) return -EINVAL;
  call.task.robust_list = {call.args[0], call.args[1]};
  return 0;
}

i64 sys_get_robust_list(Call& call) {
  const Task* const task = find(call, call.args[0]);
  if (task == nullptr) return -ESRCH;
  if (!call.space().write_value(call.args[2], kRobustHeadBytes)) return -EFAULT;
  return call.space().write_value(call.args[1], task->robust_list.head) ? 0 : -EFAULT;
}

/// As before Linux 4.18. glibc and its users then read the CPU number with getcpu(2), which is recorded;
/// with rseq they would read it from memory, where it changes without an event.
i64 sys_rseq(Call&) { return -ENOSYS; }

i64 sys_sched_yield(Call& call) {
  call.process.scheduler.yield();
  return 0;
}

i64 sys_sched_setaffinity(Call& call) {
  if (find(call, call.args[0]) == nullptr) return -ESRCH;
  u64 mask = 0;
  const u64 bytes = std::min<u64>(call.args[1] & 0xffff'ffff, sizeof mask);
  if (!call.space().read(call.args[2], {reinterpret_cast<u8*>(&mask), bytes})) return -EFAULT;
  return (mask & kCpuMask) != 0 ? 0 : -EINVAL;
}

i64 sys_sched_getaffinity(Call& call) {
  const u64 bytes = call.args[1] & 0xffff'ffff;
  if (bytes == 0 || bytes % sizeof(u64) != 0) return -EINVAL;
  if (find(call, call.args[0]) == nullptr) return -ESRCH;
  return call.space().write_value(call.args[2], kCpuMask) ? static_cast<i64>(sizeof kCpuMask) : -EFAULT;
}

i64 sys_getcpu(Call& call) {
  if (call.args[0] != 0 && !call.space().write_value(call.args[0], kCpuNumber)) return -EFAULT;
  if (call.args[1] != 0 && !call.space().write_value(call.args[1], u32{0})) return -EFAULT;
  return 0;
}

/// Tasks of one process run one at a time: every switch is a barrier already.
i64 sys_membarrier(Call& call) {
  const auto command = static_cast<i32>(call.args[0]);
  if (static_cast<u32>(call.args[1]) != 0) return -EINVAL;
  if (command == kQuery) return kMembarrierCommands;
  const bool one_known = (command & kMembarrierCommands) == command && (command & (command - 1)) == 0;
  return one_known ? 0 : -EINVAL;
}

}  // namespace orrery::kernel
