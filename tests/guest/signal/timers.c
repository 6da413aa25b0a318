// alarm, setitimer, timer_create: values, intervals, overruns, absolute times, every clock and notification.
#include <sys/time.h>

#include "check.h"

static volatile int calls;
static siginfo_t last;
static void note(int number, siginfo_t* info, void* context) {
  ++calls;
  last = *info;
}

static void wait_for(int count) {
  for (int i = 0; i < 1000 && calls < count; i++) usleep(5000);
  CHECK(calls >= count);
}
static void sleep_ms(int milliseconds) {
  struct timespec rest = {.tv_nsec = milliseconds * 1000000L};
  while (nanosleep(&rest, &rest) != 0) CHECK_EQ(errno, EINTR);
}
static struct itimerspec in_ms(int milliseconds, int interval) {
  return (struct itimerspec){{0, interval * 1000000L}, {0, milliseconds * 1000000L}};
}

// --- alarm and setitimer ---

static void alarm_tells_what_was_left(void) {
  CHECK_EQ(alarm(100), 0);
  const unsigned left = alarm(0);
  CHECK(left == 99 || left == 100);
  CHECK_EQ(alarm(0), 0);
}
static void alarm_is_the_real_timer(void) {
  struct itimerval now;
  CHECK_EQ(alarm(50), 0);
  CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
  CHECK(now.it_value.tv_sec >= 48 && now.it_value.tv_sec <= 50);
  CHECK_EQ(now.it_interval.tv_sec, 0);
  alarm(0);
}
static void interval_goes_on(void) {
  const struct itimerval timer = {{0, 3000}, {0, 3000}}, off = {{0, 0}, {0, 0}};
  struct itimerval now;
  calls = 0;
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  wait_for(4);
  CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
  CHECK_EQ(now.it_interval.tv_usec, 3000);
  CHECK_EQ(setitimer(ITIMER_REAL, &off, &now), 0);
  CHECK_EQ(now.it_interval.tv_usec, 3000);
  calls = 0;
  sleep_ms(10);
  CHECK_EQ(calls, 0);
}
static void one_shot_comes_once(void) {
  const struct itimerval once = {{0, 0}, {0, 2000}};
  calls = 0;
  CHECK_EQ(setitimer(ITIMER_REAL, &once, NULL), 0);
  wait_for(1);
  sleep_ms(10);
  CHECK_EQ(calls, 1);
}
static void blocked_expiries_merge(void) {
  const struct itimerval timer = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
  calls = 0;
  change_mask(SIG_BLOCK, SIGALRM);
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  sleep_ms(30);
  CHECK_EQ(setitimer(ITIMER_REAL, &off, NULL), 0);
  change_mask(SIG_UNBLOCK, SIGALRM);
  CHECK_EQ(calls, 1);
}
static void virtual_timer_counts_own_time(void) {
  struct itimerval timer = {{0, 0}, {0, 30000}}, now;
  calls = 0;
  CHECK_EQ(setitimer(ITIMER_VIRTUAL, &timer, NULL), 0);
  sleep_ms(60);  // asleep it stands still
  CHECK_EQ(calls, 0);
  CHECK_EQ(getitimer(ITIMER_VIRTUAL, &now), 0);
  CHECK(now.it_value.tv_usec > 1000);
  while (calls == 0) continue;
  CHECK_EQ(last.si_signo, SIGVTALRM);
}
static void profiling_timer(void) {
  const struct itimerval timer = {{0, 0}, {0, 10000}};
  calls = 0;
  CHECK_EQ(setitimer(ITIMER_PROF, &timer, NULL), 0);
  while (calls == 0) getppid();
  CHECK_EQ(last.si_signo, SIGPROF);
}
static void interval_timer_refusals(void) {
  struct itimerval timer = {{0, 0}, {0, 1000000}};
  CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
  timer.it_value.tv_usec = -1;
  CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_setitimer, 7, &timer, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_getitimer, 7, &timer), EINVAL);
  CHECK_ERRNO(syscall(SYS_getitimer, ITIMER_REAL, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_setitimer, ITIMER_REAL, 8, NULL), EFAULT);
}

// --- POSIX timers ---

static timer_t make(clockid_t clock, int notify, int number) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = notify, .sigev_signo = number};
  event.sigev_value.sival_int = 4711;
#ifdef sigev_notify_thread_id
  if (notify == SIGEV_THREAD_ID) event.sigev_notify_thread_id = getpid();
#else
  if (notify == SIGEV_THREAD_ID) event._sigev_un._tid = getpid();
#endif
  CHECK_EQ(timer_create(clock, &event, &timer), 0);
  calls = 0;
  return timer;
}
static void fires(clockid_t clock) {
  const timer_t timer = make(clock, SIGEV_SIGNAL, SIGRTMIN);
  const struct itimerspec soon = in_ms(2, 0);
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  wait_for(1);
  CHECK_EQ(last.si_code, SI_TIMER);
  CHECK_EQ(last.si_int, 4711);
  CHECK_EQ(timer_delete(timer), 0);
}
static void of_realtime(void) { fires(CLOCK_REALTIME); }
static void of_monotonic(void) { fires(CLOCK_MONOTONIC); }
static void of_boottime(void) { fires(CLOCK_BOOTTIME); }
static void of_tai(void) { fires(CLOCK_TAI); }
static void spins(clockid_t clock) {
  const timer_t timer = make(clock, SIGEV_SIGNAL, SIGRTMIN);
  const struct itimerspec soon = in_ms(2, 0);
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  while (calls == 0) continue;
  CHECK_EQ(last.si_code, SI_TIMER);
  CHECK_EQ(timer_delete(timer), 0);
}
static void of_process_time(void) { spins(CLOCK_PROCESS_CPUTIME_ID); }
static void of_thread_time(void) { spins(CLOCK_THREAD_CPUTIME_ID); }
static void of_no_clock(void) {
  timer_t timer;
  CHECK_ERRNO(timer_create(77, NULL, &timer), EINVAL);
  CHECK(timer_create(CLOCK_MONOTONIC_RAW, NULL, &timer) != 0);
}
static void default_event_is_sigalrm(void) {
  timer_t timer;
  const struct itimerspec soon = in_ms(2, 0);
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
  calls = 0;
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  wait_for(1);
  CHECK_EQ(last.si_signo, SIGALRM);
  CHECK_EQ(last.si_code, SI_TIMER);
  CHECK_EQ(timer_delete(timer), 0);
}
static void to_a_thread(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN);
  const struct itimerspec soon = in_ms(2, 0);
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  wait_for(1);
  CHECK_EQ(last.si_int, 4711);
  CHECK_EQ(timer_delete(timer), 0);
}
static void to_nobody(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_NONE, 0);
  struct itimerspec soon = in_ms(300, 0), left;
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  CHECK_EQ(timer_gettime(timer, &left), 0);
  CHECK(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 300000000);
  soon = in_ms(1, 0);
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  sleep_ms(10);
  CHECK_EQ(calls, 0);
  CHECK_EQ(timer_gettime(timer, &left), 0);
  CHECK_EQ(left.it_value.tv_nsec, 0);
  CHECK_EQ(timer_delete(timer), 0);
}
static void to_an_absolute_time(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
  struct timespec now, then;
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
  struct itimerspec at = {{0, 0}, now};
  at.it_value.tv_nsec += 5000000;
  if (at.it_value.tv_nsec >= 1000000000) at.it_value.tv_sec++, at.it_value.tv_nsec -= 1000000000;
  CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &at, NULL), 0);
  wait_for(1);
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &then), 0);
  CHECK(then.tv_sec > at.it_value.tv_sec ||
        (then.tv_sec == at.it_value.tv_sec && then.tv_nsec >= at.it_value.tv_nsec));
  CHECK_EQ(timer_delete(timer), 0);
}
static void to_a_time_gone_by(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
  const struct itimerspec past = {{0, 0}, {0, 1}};
  CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &past, NULL), 0);
  wait_for(1);
  CHECK_EQ(timer_delete(timer), 0);
}
static void setting_tells_what_was(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
  const struct itimerspec first = {{7, 5}, {100, 0}}, off = {{0, 0}, {0, 0}};
  struct itimerspec old;
  CHECK_EQ(timer_settime(timer, 0, &first, &old), 0);
  CHECK_EQ(old.it_value.tv_sec, 0);
  CHECK_EQ(timer_settime(timer, 0, &off, &old), 0);
  CHECK_EQ(old.it_interval.tv_sec, 7);
  CHECK_EQ(old.it_interval.tv_nsec, 5);
  CHECK(old.it_value.tv_sec == 99 || old.it_value.tv_sec == 100);
  CHECK_EQ(timer_gettime(timer, &old), 0);
  CHECK_EQ(old.it_value.tv_sec, 0);
  CHECK_EQ(timer_delete(timer), 0);
}
static void interval_of_a_timer(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
  const struct itimerspec often = in_ms(2, 2);
  CHECK_EQ(timer_settime(timer, 0, &often, NULL), 0);
  wait_for(5);
  CHECK_EQ(timer_delete(timer), 0);
}
static void overruns_are_counted(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
  const struct itimerspec often = in_ms(1, 1);
  change_mask(SIG_BLOCK, SIGRTMIN);
  CHECK_EQ(timer_settime(timer, 0, &often, NULL), 0);
  sleep_ms(50);
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
  CHECK(info.si_overrun >= 30);
  CHECK_EQ(timer_getoverrun(timer), info.si_overrun);
  CHECK_EQ(timer_delete(timer), 0);
  struct timespec now = {0, 0};
  while (sigtimedwait(&set, NULL, &now) > 0) continue;
  change_mask(SIG_UNBLOCK, SIGRTMIN);
}
static void many_timers_of_one_number(void) {
  timer_t timers[10];
  const struct itimerspec soon = in_ms(1, 0);
  for (int i = 0; i < 10; i++) timers[i] = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
  for (int i = 0; i < 10; i++) CHECK_EQ(timer_settime(timers[i], 0, &soon, NULL), 0);
  wait_for(10);
  for (int i = 0; i < 10; i++) CHECK_EQ(timer_delete(timers[i]), 0);
}
static void deleted_timer_is_gone(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
  struct itimerspec spec = in_ms(1, 0);
  CHECK_EQ(timer_delete(timer), 0);
  CHECK_ERRNO(syscall(SYS_timer_delete, timer), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_gettime, timer, &spec), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_settime, timer, 0, &spec, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_getoverrun, timer), EINVAL);
}
static void timer_refusals(void) {
  const timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
  struct itimerspec bad = {{0, 0}, {0, 1000000000}};
  CHECK_ERRNO(timer_settime(timer, 0, &bad, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_settime, timer, 0, NULL, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_settime, timer, 0, 8, NULL), EFAULT);
  CHECK_EQ(timer_delete(timer), 0);
  timer_t other;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
  CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &other), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 8), EFAULT);
}

int main(void) {
  on_signal(SIGALRM, note, 0);
  on_signal(SIGVTALRM, note, 0);
  on_signal(SIGPROF, note, 0);
  on_signal(SIGRTMIN, note, 0);
  RUN(alarm_tells_what_was_left);
  RUN(alarm_is_the_real_timer);
  RUN(interval_goes_on);
  RUN(one_shot_comes_once);
  RUN(blocked_expiries_merge);
  RUN(virtual_timer_counts_own_time);
  RUN(profiling_timer);
  RUN(interval_timer_refusals);
  RUN(of_realtime);
  RUN(of_monotonic);
  RUN(of_boottime);
  RUN(of_tai);
  RUN(of_process_time);
  RUN(of_thread_time);
  RUN(of_no_clock);
  RUN(default_event_is_sigalrm);
  RUN(to_a_thread);
  RUN(to_nobody);
  RUN(to_an_absolute_time);
  RUN(to_a_time_gone_by);
  RUN(setting_tells_what_was);
  RUN(interval_of_a_timer);
  RUN(overruns_are_counted);
  RUN(many_timers_of_one_number);
  RUN(deleted_timer_is_gone);
  RUN(timer_refusals);
  return 0;
}
