// sigsuspend, sigwaitinfo, sigtimedwait, ppoll's mask.
#include <poll.h>
#include <sys/time.h>

#include "check.h"

static volatile int calls;
static sigset_t during;
static void note(int number, siginfo_t* info, void* context) {
  ++calls;
  sigprocmask(SIG_BLOCK, NULL, &during);
}

static void alarm_in(int milliseconds) {
  struct itimerval timer = {.it_value = {.tv_usec = milliseconds * 1000}};
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void signals_are_waited_for(void) {
  sigset_t block, empty, now;
  sigemptyset(&empty);
  sigemptyset(&block);
  sigaddset(&block, SIGALRM);
  sigaddset(&block, SIGUSR1);
  sigaddset(&block, SIGRTMIN);
  on_signal(SIGALRM, note, 0);
  on_signal(SIGUSR1, note, 0);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &block, NULL), 0);

  alarm_in(20);
  CHECK_ERRNO(sigsuspend(&empty), EINTR);
  CHECK_EQ(calls, 1);
  CHECK_EQ(sigismember(&during, SIGUSR1), 0);
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK_EQ(sigismember(&now, SIGUSR1), 1);
  CHECK_EQ(sigismember(&now, SIGALRM), 1);

  raise(SIGUSR1);
  CHECK_ERRNO(sigsuspend(&empty), EINTR);  // already pending: at once
  CHECK_EQ(calls, 2);

  siginfo_t info;
  CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}), 0);
  CHECK_EQ(sigwaitinfo(&block, &info), SIGRTMIN);
  CHECK_EQ(info.si_code, SI_QUEUE);
  CHECK_EQ(info.si_value.sival_int, 5);
  CHECK_EQ(info.si_pid, getpid());
  alarm_in(20);
  CHECK_EQ(sigwaitinfo(&block, &info), SIGALRM);
  CHECK_EQ(info.si_code, SI_KERNEL);
  struct timespec none = {0}, little = {.tv_nsec = 20000000}, bad = {.tv_nsec = 2000000000};
  CHECK_ERRNO(sigtimedwait(&block, &info, &none), EAGAIN);
  CHECK_ERRNO(sigtimedwait(&block, &info, &little), EAGAIN);
  CHECK_ERRNO(sigtimedwait(&block, &info, &bad), EINVAL);
  raise(SIGUSR1);
  CHECK_EQ(sigtimedwait(&block, NULL, &little), SIGUSR1);
  CHECK_EQ(calls, 2);

  // Another signal, not waited for, ends the wait.
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGUSR1);
  change_mask(SIG_UNBLOCK, SIGALRM);
  alarm_in(20);
  struct timespec second = {.tv_sec = 5};
  CHECK_ERRNO(sigtimedwait(&only, NULL, &second), EINTR);
  CHECK_EQ(calls, 3);

  change_mask(SIG_BLOCK, SIGALRM);
  alarm_in(20);
  CHECK_ERRNO(ppoll(NULL, 0, &second, &empty), EINTR);
  CHECK_EQ(calls, 4);
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK_EQ(sigismember(&now, SIGALRM), 1);
}

int main(void) {
  RUN(signals_are_waited_for);
  return 0;
}
