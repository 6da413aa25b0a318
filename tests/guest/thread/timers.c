// Timers that signal one thread, those that libc starts a thread for, and a change of credentials, which libc
// makes in every thread by a signal.
#include "thread_case.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

// --- timers ---

static void* wait_for_own_timer(void* unused) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
  const struct itimerspec soon = {{0, 0}, {0, 5000000}};
  sigset_t set;
  siginfo_t info;
  timer_t timer;
  event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
  event.sigev_value.sival_int = 77;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
  WAIT_BEGINS();
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR2);
  CHECK_EQ(info.si_code, SI_TIMER);
  CHECK_EQ(timer_delete(timer), 0);
  return (void*)(long)info.si_value.sival_int;
}
static void timers_to_one_thread(void) {
  start_waiting(wait_for_own_timer);
  CHECK_EQ(waited(), 77);
}
static void timers_to_strangers(void) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
  timer_t timer;
  event.sigev_notify_thread_id = 1;
  CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
}

static volatile int notified;
static void on_notification(union sigval value) { notified = value.sival_int; }
static void timers_that_start_threads(void) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD};
  const struct itimerspec soon = {{0, 0}, {0, 3000000}};
  timer_t timer;
  event.sigev_notify_function = on_notification;
  event.sigev_value.sival_int = 5;
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
  while (notified == 0) usleep(1000);
  CHECK_EQ(notified, 5);
  CHECK_EQ(timer_delete(timer), 0);
}

// --- credentials ---

static void* stay(void* unused) {
  WAIT_BEGINS();
  usleep(20000);
  return (void*)(long)geteuid();
}
static void credentials_of_all(void) {
  start_waiting(stay);
  CHECK_EQ(seteuid(geteuid()), 0);
  CHECK_EQ(setgid(getgid()), 0);
  CHECK_EQ(waited(), geteuid());
}

int main(void) {
  RUN(timers_to_one_thread);
  RUN(timers_to_strangers);
  RUN(timers_that_start_threads);
  RUN(credentials_of_all);
  return 0;
}
