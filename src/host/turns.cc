#include "host/turns.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <poll.h>

#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

constexpr i64 kLookAfterNs = 20'000'000;
constexpr i64 kFirstNs = 1'000'000;  ///< how long whoever waits is given to come before who had the last turn

void sleep_on(const void* word, u32 expected, i64 timeout_ns) {
  const __kernel_timespec timeout{0, timeout_ns};
  raw_syscall(__NR_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
}

}  // namespace

bool has_ended(i32 pid, int fd_least) {
  const i64 opened = raw_syscall(__NR_pidfd_open, pid, 0);
  if (opened < 0) return opened == -ESRCH;
  const i64 fd = raw_syscall(__NR_fcntl, opened, F_DUPFD_CLOEXEC, fd_least);
  raw_syscall(__NR_close, opened);
  if (fd < 0) return false;
  pollfd look{.fd = static_cast<int>(fd), .events = POLLIN, .revents = 0};
  const __kernel_timespec now{};
  const bool ended = raw_syscall(__NR_ppoll, &look, 1, &now, nullptr, 0) == 1;
  raw_syscall(__NR_close, fd);
  return ended;
}

bool Turns::try_take(i32 self) {
  i32 nobody = 0;
  return __atomic_compare_exchange_n(&page_->turn_holder, &nobody, self, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED);
}

void Turns::take(int fd_least) {
  if (page_ == nullptr || holds_) return;
  const i32 self = static_cast<i32>(raw_syscall(__NR_getpid));
  let_others_go_first();
  while (!try_take(self)) {
    const i32 holder = __atomic_load_n(&page_->turn_holder, __ATOMIC_RELAXED);
    if (holder == 0) continue;
    __atomic_fetch_add(&page_->turn_waiters, 1, __ATOMIC_SEQ_CST);
    sleep_on(&page_->turn_holder, static_cast<u32>(holder), kLookAfterNs);
    __atomic_fetch_sub(&page_->turn_waiters, 1, __ATOMIC_SEQ_CST);
    look_after(holder, fd_least);
  }
  holds_ = true;
  last_turn_ = ++page_->turn_count;
}

/// Whoever gave its turn away to those that wait would mostly be first to take it again: they have to wake
/// up.
void Turns::let_others_go_first() {
  const bool was_last = __atomic_load_n(&page_->turn_count, __ATOMIC_RELAXED) == last_turn_;
  if (!was_last || __atomic_load_n(&page_->turn_waiters, __ATOMIC_SEQ_CST) == 0) return;
  sleep_on(&page_->turn_count, last_turn_, kFirstNs);
}

/// A holder that still is the same after a while may have been killed.
void Turns::look_after(i32 holder, int fd_least) {
  if (__atomic_load_n(&page_->turn_holder, __ATOMIC_RELAXED) != holder || !has_ended(holder, fd_least))
    return;
  i32 dead = holder;
  __atomic_compare_exchange_n(&page_->turn_holder, &dead, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void Turns::give() {
  if (!holds_) return;
  holds_ = false;
  __atomic_store_n(&page_->turn_holder, 0, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&page_->turn_waiters, __ATOMIC_SEQ_CST) != 0)
    raw_syscall(__NR_futex, &page_->turn_holder, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace orrery::host
