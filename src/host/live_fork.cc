// New processes of the host. The engine comes along in its address space; what does not come along is what
// the host's kernel keeps for a process alone: timers, and signals that were not taken yet.
#include <asm/unistd.h>
#include <errno.h>
#include <linux/sched.h>

#include "host/live_host.h"
#include "host/raw_syscall.h"

namespace orrery::host {
i64 LiveHost::fork(ForkRequest& request) {
  const int fd_least = engine_fd(kOwnDescriptors);
  if (request.borrows)
    if (const i64 error = lent_.open(fd_least); error < 0) return -EAGAIN;
  // A signal between here and there would be queued twice, or in the wrong process.
  close_mask_wholly();
  const i64 pid = raw_syscall(__NR_clone, request.flags, 0, &request.pidfd, 0, 0);
  if (pid == 0) {
    become_child();
    request.pid = static_cast<i32>(raw_syscall(__NR_getpid));
  } else if (pid > 0) {
    lent_.keep_lender();
  } else {
    lent_.close();
  }
  open_mask_again();
  return pid;
}

void LiveHost::become_child() {
  borrowed_.close();  // what our parent had borrowed is between it and its own parent
  borrowed_ = lent_;
  lent_ = {};
  borrowed_.keep_borrower();
  turns_.begin_process();
  view_file_.begin_process();
  task_clocks_.begin_process();
  pending_ = 0;
  head_ = tail_;
  full_ = false;
  quantum_timer_ = -1;
  preempting_ = false;
}

void LiveHost::take_back(std::vector<u8>& changes) { lent_.receive(changes); }

bool LiveHost::let_go(std::span<const PageRange> ranges) {
  return !borrowed_.is_open() || borrowed_.give_back(ranges, engine_fd(kOwnDescriptors));
}

}  // namespace orrery::host
