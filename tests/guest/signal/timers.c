// alarm, setitimer, getitimer, timer_create with values, intervals, overruns, deletion.
#include <sys/time.h>

#include "check.h"

static volatile int calls, last_code, last_value;
static void note(int number, siginfo_t* info, void* context) {
  ++calls;
  last_code = info->si_code;
  last_value = info->si_value.sival_int;
}

static void sleep_ms(int milliseconds) {
  struct timespec rest = {.tv_nsec = milliseconds * 1000000L};
  while (nanosleep(&rest, &rest) != 0) CHECK_EQ(errno, EINTR);
}

static void timers_of_the_process(void) {
  on_signal(SIGALRM, note, 0);
  CHECK_EQ(alarm(100), 0);
  const unsigned left = alarm(0);
  CHECK(left == 99 || left == 100);

  struct itimerval timer = {.it_value = {.tv_usec = 5000}, .it_interval = {.tv_usec = 5000}}, now;
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  while (calls < 3) pause();
  CHECK_EQ(last_code, SI_KERNEL);
  CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
  CHECK_EQ(now.it_interval.tv_usec, 5000);
  struct itimerval off = {0};
  CHECK_EQ(setitimer(ITIMER_REAL, &off, NULL), 0);

  timer_t id;
  struct sigevent event = {
      .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value = {.sival_int = 99}};
  on_signal(SIGRTMIN, note, 0);
  calls = 0;
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &id), 0);
  struct itimerspec spec = {.it_value = {.tv_nsec = 5000000}, .it_interval = {.tv_nsec = 5000000}}, left_of;
  CHECK_EQ(timer_settime(id, 0, &spec, NULL), 0);
  while (calls < 2) pause();
  CHECK_EQ(last_code, SI_TIMER);
  CHECK_EQ(last_value, 99);
  change_mask(SIG_BLOCK, SIGRTMIN);
  sleep_ms(40);
  calls = 0;
  CHECK_EQ(timer_gettime(id, &left_of), 0);
  CHECK_EQ(left_of.it_interval.tv_nsec, 5000000);
  memset(&spec, 0, sizeof spec);
  CHECK_EQ(timer_settime(id, 0, &spec, NULL), 0);
  change_mask(SIG_UNBLOCK, SIGRTMIN);
  CHECK(calls <= 1);  // one signal at most is queued for a timer
  CHECK_EQ(timer_delete(id), 0);
  CHECK_ERRNO(syscall(SYS_timer_delete, id), EINVAL);

  // A handler interrupts plain computation.
  calls = 0;
  on_signal(SIGVTALRM, note, 0);
  CHECK_EQ(setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value = {.tv_usec = 10000}}, NULL), 0);
  volatile unsigned long spin = 0;
  while (calls == 0) ++spin;
  CHECK(spin > 0);
}

int main(void) {
  RUN(timers_of_the_process);
  return 0;
}
