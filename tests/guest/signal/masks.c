// Blocking, pending, coalescing of standard signals, queueing and order of real-time signals, ignoring.
#include "check.h"

static volatile int calls;
static int order[32], values[32];

static void note(int number, siginfo_t* info, void* context) {
  order[calls] = number;
  values[calls] = info->si_value.sival_int;
  ++calls;
}

static int pending(int number) {
  sigset_t set;
  CHECK_EQ(sigpending(&set), 0);
  return sigismember(&set, number);
}

static void masks_and_pending(void) {
  on_signal(SIGUSR1, note, 0);
  change_mask(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  kill(getpid(), SIGUSR1);
  raise(SIGUSR1);
  CHECK_EQ(calls, 0);
  CHECK_EQ(pending(SIGUSR1), 1);
  change_mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQ(calls, 2);  // one sent to the thread, one sent to the process
  CHECK_EQ(pending(SIGUSR1), 0);

  calls = 0;
  const int first = SIGRTMIN, second = SIGRTMIN + 1;
  on_signal(first, note, 0);
  on_signal(second, note, 0);
  change_mask(SIG_BLOCK, first);
  change_mask(SIG_BLOCK, second);
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(sigqueue(getpid(), second, (union sigval){.sival_int = 10 + i}), 0);
    CHECK_EQ(sigqueue(getpid(), first, (union sigval){.sival_int = i}), 0);
  }
  sigset_t none;
  sigemptyset(&none);
  CHECK_EQ(sigprocmask(SIG_SETMASK, &none, NULL), 0);
  CHECK_EQ(calls, 6);
  // The frames stack up: within a number the queue's order, but the last frame built runs first. With
  // its own signal blocked during a handler, the next of the same number waits.
  int seen_first = 0, seen_second = 0;
  for (int i = 0; i < 6; ++i) {
    if (order[i] == first) CHECK_EQ(values[i], seen_first++);
    if (order[i] == second) CHECK_EQ(values[i], 10 + seen_second++);
  }
  CHECK_EQ(order[0], second);

  calls = 0;
  change_mask(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  signal(SIGUSR1, SIG_IGN);
  CHECK_EQ(pending(SIGUSR1), 0);  // setting SIG_IGN throws away what is pending
  raise(SIGUSR1);
  CHECK_EQ(pending(SIGUSR1), 1);  // but a blocked signal is kept, ignored or not
  change_mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQ(calls, 0);
  raise(SIGUSR1);
  raise(SIGCHLD);
  raise(SIGWINCH);
  raise(SIGURG);
  raise(SIGCONT);

  sigset_t all, now;
  sigfillset(&all);
  CHECK_EQ(sigprocmask(SIG_SETMASK, &all, NULL), 0);
  CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
  CHECK_EQ(sigismember(&now, SIGKILL), 0);
  CHECK_EQ(sigismember(&now, SIGSTOP), 0);
  CHECK_EQ(sigismember(&now, SIGTERM), 1);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 7, &all, NULL, 8), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void*)8, NULL, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigpending, &now, 9), EINVAL);
}

int main(void) {
  RUN(masks_and_pending);
  return 0;
}
