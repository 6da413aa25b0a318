#include "host/task_clocks.h"

#include <asm/unistd.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>

#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

constexpr u64 kSecondNs = 1'000'000'000, kMicrosecondNs = 1'000;

/// linux/posix-timers.h: a clock named by a task's id, CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED.
constexpr u32 kOfThread = 4, kKinds = 3, kScheduled = 2;

u64 thread_ns() {
  timespec time{};
  raw_syscall(__NR_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<u64>(time.tv_sec) * kSecondNs + static_cast<u64>(time.tv_nsec);
}

/// Of which task a clock tells; 0: the one that asks; -1: of none.
i32 task_of_clock(u64 clock) {
  const auto id = static_cast<u32>(clock);
  if (id == CLOCK_THREAD_CPUTIME_ID) return 0;
  if (static_cast<i32>(id) >= 0 || (id & kOfThread) == 0 || (id & kKinds) != kScheduled) return -1;
  return static_cast<i32>(~(static_cast<i32>(id) >> 3));
}

timeval to_timeval(u64 ns) {
  return {static_cast<long>(ns / kSecondNs), static_cast<long>(ns % kSecondNs / kMicrosecondNs)};
}

u64 to_ns(const timeval& time) {
  return static_cast<u64>(time.tv_sec) * kSecondNs + static_cast<u64>(time.tv_usec) * kMicrosecondNs;
}

/// The process's own figures; of its time the task's share, in the proportion of all of it.
i64 give_usage(u64 address, u64 used_ns) {
  const i64 result = raw_syscall(__NR_getrusage, RUSAGE_SELF, address);
  if (result < 0) return result;
  rusage& usage = *reinterpret_cast<rusage*>(address);
  const u64 user = to_ns(usage.ru_utime), all = user + to_ns(usage.ru_stime);
  const u64 user_ns =
      all == 0 ? used_ns : static_cast<u64>(static_cast<unsigned __int128>(used_ns) * user / all);
  usage.ru_utime = to_timeval(user_ns);
  usage.ru_stime = to_timeval(used_ns - user_ns);
  return result;
}

/// Whether the address can be written is the host's to say.
i64 give_time(u64 address, u64 ns) {
  const i64 result = raw_syscall(__NR_clock_gettime, CLOCK_THREAD_CPUTIME_ID, address);
  if (result < 0) return result;
  *reinterpret_cast<timespec*>(address) = {static_cast<i64>(ns / kSecondNs),
                                           static_cast<i64>(ns % kSecondNs)};
  return result;
}

}  // namespace

void TaskClocks::switch_to(i32 task) {
  const u64 now = thread_ns();
  if (clocks_.empty()) {
    running_ = static_cast<i32>(raw_syscall(__NR_getpid));
    clocks_.push_back({running_});
  }
  const auto find = [this](i32 id) {
    return std::find_if(clocks_.begin(), clocks_.end(), [id](const Clock& c) { return c.task == id; });
  };
  if (const auto last = find(running_); last != clocks_.end()) last->used_ns += now - since_ns_;
  since_ns_ = now;
  running_ = task;
  if (find(task) == clocks_.end()) clocks_.push_back({task});
}

void TaskClocks::forget(i32 task) {
  std::erase_if(clocks_, [task](const Clock& clock) { return clock.task == task; });
}

const TaskClocks::Clock* TaskClocks::find(i32 task) const {
  const auto found =
      std::find_if(clocks_.begin(), clocks_.end(), [task](const Clock& c) { return c.task == task; });
  return found == clocks_.end() ? nullptr : &*found;
}

u64 TaskClocks::used_ns(const Clock& clock) const {
  return clock.used_ns + (clock.task == running_ ? thread_ns() - since_ns_ : 0);
}

std::optional<i64> TaskClocks::answer(u64 number, u64 which, u64 address) const {
  if (clocks_.empty()) return std::nullopt;
  if (number == __NR_getrusage && static_cast<i32>(which) == RUSAGE_THREAD) {
    const Clock* const own = find(running_);
    return own == nullptr ? std::nullopt : std::optional(give_usage(address, used_ns(*own)));
  }
  if (number != __NR_clock_gettime) return std::nullopt;
  const i32 task = task_of_clock(which);
  const Clock* const clock = task < 0 ? nullptr : find(task == 0 ? running_ : task);
  if (clock == nullptr) return std::nullopt;
  return give_time(address, used_ns(*clock));
}

}  // namespace orrery::host
