// Policies and priorities. The host's scheduler knows one thread of the process, which has the place that the
// guest gave the leader. Other tasks take turns whatever their place is; what the guest gives them is kept
// and told again, and refused where the host would refuse it.
#include <asm/unistd.h>
#include <linux/sched.h>

#include <algorithm>
#include <cerrno>

#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr i32 kOfTask = 0;  // PRIO_PROCESS
constexpr i32 kNiceLeast = -20, kNiceMost = 19;
constexpr u32 kAttributesLeast = 48;  // SCHED_ATTR_SIZE_VER0
constexpr i64 kPriorityZero = 20;     // getpriority(2) gives 20 - nice

/// The task that the call is about, 0 being the caller; null if it is not of this process.
Task* find(Call& call, u64 argument) {
  const auto id = static_cast<i32>(argument);
  return id == 0 ? &call.task : call.process.find_task(TaskId{id});
}

bool is_leader(const Task& task) { return &task == task.process.tasks.front().get(); }
bool is_of_task(const Call& call) { return call.row.number != __NR_setpriority || call.fd(0) == kOfTask; }
int task_argument(const Call& call) {
  return call.row.number == __NR_setpriority || call.row.number == __NR_getpriority ? 1 : 0;
}

i64 ask_host(Call& call, u32 number, const SchedulingPlace& place) {
  host::HostCall ask;
  ask.number = number;
  ask.args = {0, reinterpret_cast<u64>(&place), 0};
  ask.checked_args = 0b101;
  ask.in.add({reinterpret_cast<u64>(&place), sizeof place});
  return call.host().call(ask);
}

SchedulingPlace place_on_host(Call& call) {
  SchedulingPlace place;
  host::HostCall ask;
  ask.number = __NR_sched_getattr;
  ask.args = {0, reinterpret_cast<u64>(&place), sizeof place, 0};
  ask.checked_args = 0b1101;
  ask.out.add({.address = reinterpret_cast<u64>(&place), .capacity_bytes = sizeof place});
  call.host().call(ask);
  return place;
}

bool is_real_time(u32 policy) {
  return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

/// Whether a task may be given a place: what takes nothing from others always may
/// (user_check_sched_setscheduler); else the host is asked by giving its thread that place for a moment.
i64 try_place(Call& call, const SchedulingPlace& old, const SchedulingPlace& wish) {
  const bool is_modest =
      !is_real_time(old.policy) && old.policy != SCHED_IDLE && !is_real_time(wish.policy) &&
      wish.nice >= old.nice && wish.priority == 0 &&
      (wish.policy == SCHED_NORMAL || wish.policy == SCHED_BATCH || wish.policy == SCHED_IDLE);
  if (is_modest) return 0;
  const SchedulingPlace hosts = place_on_host(call);
  const i64 result = ask_host(call, __NR_sched_setattr, wish);
  if (result == 0) ask_host(call, __NR_sched_setattr, hosts);
  return result;
}

i64 read_attributes(Call& call, SchedulingPlace& wish) {
  u32 size = 0;
  if (!call.space().read_value(call.args[1], size)) return -EFAULT;
  if (size < kAttributesLeast && size != 0) return -E2BIG;
  const u64 bytes = std::min<u64>(size == 0 ? kAttributesLeast : size, sizeof wish);
  if (!call.space().read(call.args[1], {reinterpret_cast<u8*>(&wish), bytes})) return -EFAULT;
  wish.size_bytes = sizeof wish;
  return 0;
}

/// What the call wants in place of `wish`. 0 or -errno.
i64 read_wish(Call& call, SchedulingPlace& wish) {
  if (call.row.number == __NR_setpriority) {
    wish.nice = std::clamp(static_cast<i32>(call.args[2]), kNiceLeast, kNiceMost);
    return 0;
  }
  if (call.row.number == __NR_sched_setattr) return read_attributes(call, wish);
  const bool with_policy = call.row.number == __NR_sched_setscheduler;
  const auto policy = static_cast<u32>(call.args[1]);
  if (with_policy) {
    wish.policy = policy & ~u32{SCHED_RESET_ON_FORK};
    wish.flags = (policy & SCHED_RESET_ON_FORK) != 0 ? SCHED_FLAG_RESET_ON_FORK : 0;
  }
  return call.space().read_value(call.args[with_policy ? 2 : 1], wish.priority) ? 0 : -EFAULT;
}

i64 policy_with_flags(const SchedulingPlace& place) {
  const u32 reset = (place.flags & SCHED_FLAG_RESET_ON_FORK) != 0 ? u32{SCHED_RESET_ON_FORK} : 0;
  return static_cast<i64>(place.policy | reset);
}

}  // namespace

i64 sys_sched_set(Call& call) {
  u64& id = call.args[static_cast<std::size_t>(task_argument(call))];
  Task* const task = is_of_task(call) ? find(call, id) : nullptr;
  if (task == nullptr) return forward(call);
  if (is_leader(*task)) {
    id = 0;
    return forward(call);
  }
  const SchedulingPlace old = task->place ? *task->place : place_on_host(call);
  SchedulingPlace wish = old;
  if (const i64 error = read_wish(call, wish); error < 0) return error;
  // setpriority(2) refuses by another number than sched_setattr(2).
  const bool only_nice = call.row.number == __NR_setpriority;
  if (const i64 error = try_place(call, old, wish); error < 0)
    return only_nice && error == -EPERM ? -EACCES : error;
  task->place = wish;
  return 0;
}

i64 sys_sched_get(Call& call) {
  Task* const task = find(call, call.args[0]);
  if (task != nullptr && task->place) {
    const SchedulingPlace& place = *task->place;
    switch (call.row.number) {
      case __NR_sched_getscheduler:
        return policy_with_flags(place);
      case __NR_sched_getparam:
        return call.space().write_value(call.args[1], place.priority) ? 0 : -EFAULT;
      case __NR_sched_getattr: {
        const u64 bytes = call.args[2] & 0xffff'ffff;
        if (bytes < kAttributesLeast || static_cast<u32>(call.args[3]) != 0) return -EINVAL;
        const std::span<const u8> all(reinterpret_cast<const u8*>(&place), sizeof place);
        return call.space().write(call.args[1], all.first(std::min<u64>(bytes, all.size()))) ? 0 : -EFAULT;
      }
      default:
        break;  // the quantum: the host's
    }
  }
  if (task != nullptr) call.args[0] = 0;
  return forward(call);
}

i64 sys_getpriority(Call& call) {
  Task* const task = call.fd(0) == kOfTask ? find(call, call.args[1]) : nullptr;
  if (task != nullptr && task->place) return kPriorityZero - task->place->nice;
  if (task != nullptr) call.args[1] = 0;
  return forward(call);
}

}  // namespace orrery::kernel
