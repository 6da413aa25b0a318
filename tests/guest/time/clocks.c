// Clocks go forward and agree; sleeps last; bad arguments are told.
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

#include "check.h"

static int64_t nanoseconds(clockid_t clock) {
  struct timespec now;
  CHECK_EQ(syscall(SYS_clock_gettime, clock, &now), 0);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void clocks_and_sleeps(void) {
  const clockid_t clocks[] = {
      CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
      CLOCK_BOOTTIME, CLOCK_TAI};
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    int64_t before = nanoseconds(clocks[i]), after = nanoseconds(clocks[i]);
    CHECK(after >= before);
    struct timespec resolution;
    CHECK_EQ(clock_getres(clocks[i], &resolution), 0);
    CHECK_EQ(resolution.tv_sec, 0);
  }
  CHECK_ERRNO(syscall(SYS_clock_gettime, 77, &clocks), EINVAL);
  CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8), EFAULT);
  struct timeval day;
  CHECK_EQ(gettimeofday(&day, NULL), 0);
  time_t seconds = 0;
  CHECK_EQ(syscall(SYS_time, &seconds), seconds);
  CHECK(labs((long)(seconds - day.tv_sec)) <= 1);

  int64_t start = nanoseconds(CLOCK_MONOTONIC);
  struct timespec nap = {0, 20000000}, left = {7, 7};
  CHECK_EQ(nanosleep(&nap, &left), 0);
  CHECK(nanoseconds(CLOCK_MONOTONIC) - start >= 20000000);
  CHECK_EQ(left.tv_sec, 7);
  start = nanoseconds(CLOCK_MONOTONIC);
  struct timespec until = {(start + 15000000) / 1000000000, (start + 15000000) % 1000000000};
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
  CHECK(nanoseconds(CLOCK_MONOTONIC) - start >= 15000000);
  nap.tv_nsec = 1000000000;
  CHECK_ERRNO(nanosleep(&nap, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_nanosleep, 8, 0), EFAULT);
  CHECK_EQ(clock_nanosleep(77, 0, &until, NULL), EINVAL);

  struct tms used;
  CHECK(times(&used) != (clock_t)-1);
  struct rusage usage;
  CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  CHECK(usage.ru_maxrss > 0);
  CHECK_ERRNO(getrusage(42, &usage), EINVAL);
}

int main(void) {
  RUN(clocks_and_sleeps);
  return 0;
}
