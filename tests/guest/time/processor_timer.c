// Timers of the processor's time: what the process sleeps does not count. And a timer's descriptor outlives a
// dup2 that fails.
#include <signal.h>
#include <sys/timerfd.h>
#include <time.h>

#include "check.h"

static volatile sig_atomic_t fired;

static void note_signal(int signal) {
  (void)signal;
  ++fired;
}

static long long cpu_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static timer_t make_timer(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  signal(SIGUSR1, note_signal);
  fired = 0;
  CHECK_EQ(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer), 0);
  return timer;
}

/// A second of processor time at most.
static void compute_until_fired(void) {
  const long long begin = cpu_now_ns();
  while (!fired && cpu_now_ns() - begin < 1000000000LL) {
    for (volatile int i = 0; i < 1000; ++i) {
    }
  }
}

static void counts_what_is_computed(void) {
  const timer_t timer = make_timer();
  const struct itimerspec wait = {.it_value = {0, 30000000}};
  CHECK_EQ(timer_settime(timer, 0, &wait, NULL), 0);
  usleep(100000);
  CHECK_EQ(fired, 0);
  compute_until_fired();
  CHECK_EQ(fired, 1);
  timer_delete(timer);
}

static void absolute_time_of_the_process(void) {
  const timer_t timer = make_timer();
  const long long at = cpu_now_ns() + 30000000;
  const struct itimerspec wait = {.it_value = {at / 1000000000, at % 1000000000}};
  CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &wait, NULL), 0);
  CHECK_EQ(fired, 0);
  compute_until_fired();
  CHECK_EQ(fired, 1);
  CHECK(cpu_now_ns() >= at);
  timer_delete(timer);
}

static void survives_a_failed_dup(void) {
  const int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  CHECK(fd >= 0);
  CHECK_EQ(dup2(-1, fd), -1);
  CHECK_EQ(errno, EBADF);
  CHECK_EQ(dup3(fd, fd, 0), -1);
  CHECK_EQ(errno, EINVAL);
  const struct itimerspec wait = {.it_value = {0, 1000000}};
  CHECK_EQ(timerfd_settime(fd, 0, &wait, NULL), 0);
  unsigned long long count = 0;
  CHECK_EQ(read(fd, &count, sizeof count), (ssize_t)sizeof count);
  CHECK_EQ(count, 1);
  close(fd);
}

int main(void) {
  RUN(counts_what_is_computed);
  RUN(absolute_time_of_the_process);
  RUN(survives_a_failed_dup);
  return 0;
}
