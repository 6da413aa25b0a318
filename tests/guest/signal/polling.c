// Looks for signals again and again without waiting, while they come at any moment: each look must find the
// same when it is replayed.
#include <sys/signalfd.h>

#include "check.h"

static timer_t timer;
static sigset_t set;

static void start(void) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  const struct itimerspec often = {{0, 50000}, {0, 50000}};
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  CHECK_EQ(timer_settime(timer, 0, &often, NULL), 0);
}
static void stop(void) {
  const struct timespec at_once = {0, 0};
  CHECK_EQ(timer_delete(timer), 0);
  while (sigtimedwait(&set, NULL, &at_once) > 0) continue;
}

static void by_sigtimedwait(void) {
  const struct timespec at_once = {0, 0};
  start();
  for (int found = 0; found < 2000;)
    if (sigtimedwait(&set, NULL, &at_once) > 0) ++found;
  stop();
}
static void by_sigpending(void) {
  start();
  for (int found = 0; found < 1000;) {
    sigset_t pending;
    CHECK_EQ(sigpending(&pending), 0);
    if (!sigismember(&pending, SIGRTMIN)) continue;
    CHECK_EQ(sigwaitinfo(&set, NULL), SIGRTMIN);
    ++found;
  }
  stop();
}
static volatile int calls;
static void count(int number, siginfo_t* info, void* context) { ++calls; }
static void by_opening_the_mask(void) {
  start();
  on_signal(SIGRTMIN, count, 0);
  calls = 0;
  while (calls < 1000) {
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
  }
  stop();
}
static void by_computing(void) {
  start();
  calls = 0;
  CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
  volatile unsigned turns = 0;
  while (calls < 1000) ++turns;
  CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
  stop();
}

int main(void) {
  RUN(by_sigtimedwait);
  RUN(by_sigpending);
  RUN(by_opening_the_mask);
  RUN(by_computing);
  return 0;
}
