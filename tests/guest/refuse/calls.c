// What the machine refuses must fail as some real kernel would, so that programs take their fallback: here
// the errno is one of those that a program tests for. Natively the call may work; then nothing is checked.
#include <linux/futex.h>

#include "check.h"

static void refused(long number, long result) {
  if (result >= 0) {
    if (number == SYS_perf_event_open || number == 425) close((int)result);
    return;
  }
  int error = errno;
  CHECK(error == ENOSYS || error == EPERM || error == EACCES || error == EINVAL || error == EFAULT ||
        error == EOPNOTSUPP || error == ENOENT || error == E2BIG || error == ESRCH);
}

static void refused_calls(void) {
  refused(SYS_perf_event_open, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
  refused(SYS_bpf, syscall(SYS_bpf, 0, NULL, 0));
  refused(425, syscall(425, 1, NULL));  // io_uring_setup
  refused(SYS_io_setup, syscall(SYS_io_setup, 0, NULL));
  refused(SYS_ptrace, syscall(SYS_ptrace, 16, -1, 0, 0));
  CHECK_ERRNO(syscall(SYS_tuxcall), ENOSYS);
  CHECK_ERRNO(syscall(999), ENOSYS);
  CHECK_ERRNO(syscall(-1), ENOSYS);

  uint32_t word = 5;
  struct timespec brief = {0, 5000000};
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT, 6, NULL), EAGAIN);
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &brief), ETIMEDOUT);
  CHECK_ERRNO(syscall(SYS_futex, (char*)&word + 1, FUTEX_WAIT, 5, NULL), EINVAL);
  CHECK_EQ(syscall(SYS_futex, &word, FUTEX_WAKE, 1), 0);
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 1, 1, &word, 6), EAGAIN);
  CHECK_ERRNO(syscall(SYS_futex, &word, 99, 0, NULL), ENOSYS);
  word = 0;
  CHECK_EQ(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL), 0);
  CHECK_EQ(word & FUTEX_TID_MASK, getpid());
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL), EDEADLK);
  CHECK_EQ(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0), 0);
  CHECK_EQ(word, 0);
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0), EPERM);
}

int main(void) {
  RUN(refused_calls);
  return 0;
}
