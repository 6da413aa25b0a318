// Timers of every kind: what is left of them, what they say when they end, what they refuse.
#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

#include "check.h"

#define MS 1000000L

static volatile sig_atomic_t alarms;
static void on_alarm(int number, siginfo_t* info, void* context) { ++alarms; }

static long now_ns(clockid_t clock) {
  struct timespec now;
  CHECK_EQ(clock_gettime(clock, &now), 0);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void descriptors_count_their_ends(void) {
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  uint64_t count = 0;
  CHECK(fd >= 0);
  CHECK_ERRNO(read(fd, &count, sizeof count), EAGAIN);
  const struct itimerspec often = {{0, 2 * MS}, {0, 1}};
  CHECK_EQ(timerfd_settime(fd, 0, &often, NULL), 0);
  const struct timespec brief = {0, 15 * MS};
  nanosleep(&brief, NULL);
  CHECK_EQ(read(fd, &count, sizeof count), 8);
  CHECK(count >= 7);
  CHECK_ERRNO(read(fd, &count, 4), EINVAL);
  struct itimerspec left;
  CHECK_EQ(timerfd_gettime(fd, &left), 0);
  CHECK_EQ(left.it_interval.tv_nsec, 2 * MS);
  CHECK(left.it_value.tv_nsec <= 2 * MS);
  const struct itimerspec none = {{0, 0}, {0, 0}};
  CHECK_EQ(timerfd_settime(fd, 0, &none, &left), 0);
  CHECK_EQ(left.it_interval.tv_nsec, 2 * MS);
  CHECK_EQ(timerfd_gettime(fd, &left), 0);
  CHECK_EQ(left.it_value.tv_sec | left.it_value.tv_nsec, 0);
  close(fd);
}

static void descriptors_at_a_time(void) {
  const int fd = timerfd_create(CLOCK_REALTIME, 0);
  struct itimerspec at = {{0, 0}, {0, 0}};
  CHECK_EQ(clock_gettime(CLOCK_REALTIME, &at.it_value), 0);
  at.it_value.tv_sec -= 5;  // that has passed
  CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL), 0);
  uint64_t count = 0;
  CHECK_EQ(read(fd, &count, sizeof count), 8);
  CHECK_EQ(count, 1);
  at.it_value.tv_sec += 1000;
  CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL), 0);
  struct pollfd entry = {fd, POLLIN, 0};
  CHECK_EQ(poll(&entry, 1, 10), 0);
  at.it_value.tv_nsec = 1000000000;
  CHECK_ERRNO(timerfd_settime(fd, 0, &at, NULL), EINVAL);
  CHECK_ERRNO(timerfd_settime(fd, 99, &at, NULL), EINVAL);
  CHECK_ERRNO(timerfd_settime(1, 0, &at, NULL), EINVAL);
  CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
  CHECK_ERRNO(timerfd_create(CLOCK_REALTIME, 1), EINVAL);
  close(fd);
}

static void timers_without_signals(void) {
  timer_t timer;
  struct sigevent quiet = {.sigev_notify = SIGEV_NONE};
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &quiet, &timer), 0);
  const struct itimerspec later = {{3, 0}, {1000, 0}};
  struct itimerspec left;
  CHECK_EQ(timer_settime(timer, 0, &later, &left), 0);
  CHECK_EQ(left.it_value.tv_sec | left.it_value.tv_nsec, 0);
  CHECK_EQ(timer_gettime(timer, &left), 0);
  CHECK(left.it_value.tv_sec == 999 || left.it_value.tv_sec == 1000);
  CHECK_EQ(left.it_interval.tv_sec, 3);
  CHECK_EQ(timer_delete(timer), 0);
  CHECK_ERRNO(timer_gettime(timer, &left), EINVAL);
  CHECK_ERRNO(timer_create(99, &quiet, &timer), EINVAL);
  quiet.sigev_notify = SIGEV_SIGNAL;
  quiet.sigev_signo = 99;
  CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &quiet, &timer), EINVAL);
}

static void alarms_are_one_timer(void) {
  on_signal(SIGALRM, on_alarm, 0);
  CHECK_EQ(alarm(100), 0);
  struct itimerval timer;
  CHECK_EQ(getitimer(ITIMER_REAL, &timer), 0);
  CHECK(timer.it_value.tv_sec >= 98 && timer.it_value.tv_sec <= 100);
  const struct itimerval brief = {{0, 0}, {0, 10000}};
  sigset_t others;
  sigprocmask(SIG_BLOCK, NULL, &others);
  change_mask(SIG_BLOCK, SIGALRM);
  CHECK_EQ(setitimer(ITIMER_REAL, &brief, &timer), 0);
  CHECK(timer.it_value.tv_sec >= 98);
  CHECK_ERRNO(sigsuspend(&others), EINTR);
  CHECK_EQ(sigprocmask(SIG_SETMASK, &others, NULL), 0);
  CHECK_EQ(alarms, 1);
  CHECK_EQ(alarm(0), 0);
  const struct itimerval wrong = {{0, 0}, {0, 1000000}};
  CHECK_ERRNO(setitimer(ITIMER_REAL, &wrong, NULL), EINVAL);
  CHECK_ERRNO(setitimer(99, &brief, NULL), EINVAL);
}

static void timers_of_processor_time(void) {
  alarms = 0;
  on_signal(SIGVTALRM, on_alarm, 0);
  const struct itimerval brief = {{0, 0}, {0, 10000}};
  CHECK_EQ(setitimer(ITIMER_VIRTUAL, &brief, NULL), 0);
  const long end = now_ns(CLOCK_MONOTONIC) + 20000 * MS;
  for (volatile long i = 0; alarms == 0; ++i)
    if (i % 100000 == 0) CHECK(now_ns(CLOCK_MONOTONIC) < end);
  CHECK_EQ(alarms, 1);
  CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) > 0);
}

static void clocks_agree(void) {
  struct timespec resolution;
  CHECK_EQ(clock_getres(CLOCK_MONOTONIC, &resolution), 0);
  CHECK(resolution.tv_sec == 0 && resolution.tv_nsec > 0);
  CHECK_EQ(clock_getres(CLOCK_REALTIME, NULL), 0);
  CHECK_ERRNO(clock_gettime(99, &resolution), EINVAL);
  CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8), EFAULT);
  const long before = now_ns(CLOCK_REALTIME);
  struct timeval now;
  CHECK_EQ(gettimeofday(&now, NULL), 0);
  const long seen = now.tv_sec * 1000000000L + now.tv_usec * 1000L, after = now_ns(CLOCK_REALTIME);
  CHECK(before - 1000 <= seen && seen <= after);
  CHECK(time(NULL) >= before / 1000000000L - 1);
  CHECK(now_ns(CLOCK_BOOTTIME) >= now_ns(CLOCK_MONOTONIC) - 1000 * MS);
  CHECK(now_ns(CLOCK_MONOTONIC_COARSE) <= now_ns(CLOCK_MONOTONIC));
  clockid_t own;
  CHECK_EQ(clock_getcpuclockid(getpid(), &own), 0);
  CHECK(now_ns(own) > 0);
}

static void sleeps_to_a_time(void) {
  struct timespec past = {1, 0}, wrong = {0, 1000000000}, back = {-1, 0};
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL), 0);
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &wrong, NULL), EINVAL);
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &back, NULL), EINVAL);
  CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &past, NULL), EINVAL);
  CHECK_ERRNO(nanosleep(&wrong, NULL), EINVAL);
  const long start = now_ns(CLOCK_MONOTONIC), end = start + 5 * MS;
  const struct timespec at = {end / 1000000000L, end % 1000000000L};
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
  CHECK(now_ns(CLOCK_MONOTONIC) >= end);
}

static void processor_time_grows(void) {
  struct tms first, second;
  struct rusage usage;
  CHECK(times(&first) != (clock_t)-1);
  const long end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 30 * MS;
  while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end) continue;
  CHECK(times(&second) != (clock_t)-1);
  CHECK(second.tms_utime + second.tms_stime >= first.tms_utime + first.tms_stime);
  CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  CHECK(usage.ru_utime.tv_sec + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec + usage.ru_stime.tv_usec > 0);
  CHECK_ERRNO(getrusage(99, &usage), EINVAL);
  struct timex state = {.modes = 0};
  CHECK(adjtimex(&state) >= 0);
  CHECK(state.tick > 0);
}

int main(void) {
  RUN(descriptors_count_their_ends);
  RUN(descriptors_at_a_time);
  RUN(timers_without_signals);
  RUN(alarms_are_one_timer);
  RUN(timers_of_processor_time);
  RUN(clocks_agree);
  RUN(sleeps_to_a_time);
  RUN(processor_time_grows);
  return 0;
}
