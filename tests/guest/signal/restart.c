// What a signal does to a call that sleeps: EINTR, SA_RESTART, calls that are never restarted, remainders.
#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>

#include "check.h"

static volatile int calls;
static int pipe_fds[2];

static void note(int number, siginfo_t* info, void* context) { ++calls; }
static void feed(int number, siginfo_t* info, void* context) {
  ++calls;
  (void)!write(pipe_fds[1], "x", 1);
}

static void alarm_in(int milliseconds) {
  struct itimerval timer = {.it_value = {.tv_usec = milliseconds * 1000}};
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void reads_and_sleeps_restart(void) {
  char byte;
  CHECK_EQ(pipe(pipe_fds), 0);

  on_signal(SIGALRM, note, 0);
  alarm_in(20);
  CHECK_ERRNO(read(pipe_fds[0], &byte, 1), EINTR);
  CHECK_EQ(calls, 1);

  on_signal(SIGALRM, feed, SA_RESTART);
  alarm_in(20);
  CHECK_EQ(read(pipe_fds[0], &byte, 1), 1);
  CHECK_EQ(byte, 'x');
  CHECK_EQ(calls, 2);

  on_signal(SIGALRM, note, SA_RESTART);
  alarm_in(20);
  struct pollfd fd = {.fd = pipe_fds[0], .events = POLLIN};
  CHECK_ERRNO(poll(&fd, 1, 5000), EINTR);
  alarm_in(20);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(pipe_fds[0], &set);
  CHECK_ERRNO(select(pipe_fds[0] + 1, &set, NULL, NULL, NULL), EINTR);

  alarm_in(20);
  struct timespec wanted = {.tv_sec = 5}, rest = {0};
  CHECK_ERRNO(nanosleep(&wanted, &rest), EINTR);
  CHECK(rest.tv_sec == 4 && rest.tv_nsec > 0);

  // An ignored signal and one that is blocked do not disturb.
  calls = 0;
  signal(SIGALRM, SIG_IGN);
  alarm_in(10);
  CHECK_EQ(poll(&fd, 1, 40), 0);
  on_signal(SIGALRM, note, 0);
  change_mask(SIG_BLOCK, SIGALRM);
  alarm_in(10);
  CHECK_EQ(poll(&fd, 1, 40), 0);
  CHECK_EQ(calls, 0);
  change_mask(SIG_UNBLOCK, SIGALRM);
  CHECK_EQ(calls, 1);

  alarm_in(20);
  CHECK_ERRNO(pause(), EINTR);
  CHECK_EQ(calls, 2);
}

int main(void) {
  RUN(reads_and_sleeps_restart);
  return 0;
}
