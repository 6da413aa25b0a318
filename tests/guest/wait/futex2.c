// The futex calls of Linux 6.7: futex_wake, futex_wait, futex_requeue. Older kernels have none of them.
#include "check.h"

#define FUTEX_WAKE 454
#define FUTEX_WAIT 455
#define FUTEX_REQUEUE 456
enum { kSize32 = 2, kPrivate = 128 };

static uint32_t word = 5;
static int exists;

static void waking(void) {
  exists = syscall(FUTEX_WAKE, &word, 1, 1, kSize32) == 0;
  if (!exists) SKIP("no futex_wake");
  CHECK_EQ(syscall(FUTEX_WAKE, &word, ~0U, 1, kSize32 | kPrivate), 0);
  CHECK_ERRNO(syscall(FUTEX_WAKE, &word, 1, 1, 0), EINVAL);
  CHECK_ERRNO(syscall(FUTEX_WAKE, &word, 0, 1, kSize32), EINVAL);
  CHECK_ERRNO(syscall(FUTEX_WAKE, (char*)&word + 1, 1, 1, kSize32), EINVAL);
}

static void waiting(void) {
  if (!exists) SKIP("no futex_wait");
  struct timespec end;
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &end), 0);
  CHECK_ERRNO(syscall(FUTEX_WAIT, &word, 6, ~0U, kSize32, NULL, CLOCK_MONOTONIC), EAGAIN);
  CHECK_ERRNO(syscall(FUTEX_WAIT, &word, 5, ~0U, kSize32, &end, CLOCK_MONOTONIC), ETIMEDOUT);
  CHECK_ERRNO(syscall(FUTEX_WAIT, &word, 5, 0, kSize32, &end, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERRNO(syscall(FUTEX_WAIT, &word, 5, ~0U, kSize32, &end, CLOCK_BOOTTIME), EINVAL);
  CHECK_ERRNO(syscall(FUTEX_WAIT, &word, 1L << 32, ~0U, kSize32, &end, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERRNO(syscall(FUTEX_WAIT, 8, 5, ~0U, kSize32, &end, CLOCK_MONOTONIC), EFAULT);
  CHECK_ERRNO(syscall(FUTEX_WAIT, &word, 5, ~0U, kSize32, 8, CLOCK_MONOTONIC), EFAULT);
}

static void requeueing(void) {
  if (!exists) SKIP("no futex_requeue");
  static uint32_t target;
  struct {
    uint64_t value, address;
    uint32_t flags, reserved;
  } pair[2] = {{5, (uint64_t)&word, kSize32, 0}, {0, (uint64_t)&target, kSize32, 0}};
  CHECK_EQ(syscall(FUTEX_REQUEUE, pair, 0, 1, 1), 0);
  pair[0].value = 6;
  CHECK_ERRNO(syscall(FUTEX_REQUEUE, pair, 0, 1, 1), EAGAIN);
  CHECK_ERRNO(syscall(FUTEX_REQUEUE, pair, 1, 1, 1), EINVAL);
  CHECK_ERRNO(syscall(FUTEX_REQUEUE, NULL, 0, 1, 1), EINVAL);
  CHECK_ERRNO(syscall(FUTEX_REQUEUE, 8, 0, 1, 1), EFAULT);
  pair[1].flags = 0;
  CHECK_ERRNO(syscall(FUTEX_REQUEUE, pair, 0, 1, 1), EINVAL);
}

int main(void) {
  RUN(waking);
  RUN(waiting);
  RUN(requeueing);
  return 0;
}
