// signalfd: reports blocked signals from everywhere, shares them with sigpending and sigwaitinfo, wakes poll.
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/time.h>

#include "check.h"

static volatile int calls;
static void note(int number, siginfo_t* info, void* context) { ++calls; }

static struct signalfd_siginfo next(int fd) {
  struct signalfd_siginfo info;
  CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
  return info;
}

static void signals_are_read(void) {
  sigset_t mask, pending;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGALRM);
  sigaddset(&mask, SIGRTMIN);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
  kill(getpid(), SIGUSR1);  // before there is a descriptor
  const int fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK_EQ(next(fd).ssi_signo, SIGUSR1);
  struct signalfd_siginfo info;
  CHECK_ERRNO(read(fd, &info, sizeof info), EAGAIN);

  kill(getpid(), SIGUSR1);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
  info = next(fd);
  CHECK_EQ(info.ssi_signo, SIGUSR1);
  CHECK_EQ(info.ssi_pid, getpid());
  CHECK_EQ(info.ssi_code, SI_USER);
  CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 12}), 0);
  CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 13}), 0);
  CHECK_EQ(next(fd).ssi_int, 12);
  CHECK_EQ(next(fd).ssi_int, 13);

  struct itimerval timer = {.it_value = {.tv_usec = 20000}};
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  CHECK_EQ(poll(&poll_fd, 1, 5000), 1);
  CHECK_EQ(next(fd).ssi_signo, SIGALRM);

  // Others may take them too.
  raise(SIGUSR1);
  CHECK_EQ(sigwaitinfo(&mask, NULL), SIGUSR1);
  CHECK_ERRNO(read(fd, &info, sizeof info), EAGAIN);
  on_signal(SIGUSR1, note, 0);
  raise(SIGUSR1);
  CHECK_EQ(calls, 0);
  change_mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQ(calls, 1);
  CHECK_ERRNO(read(fd, &info, sizeof info), EAGAIN);
  raise(SIGUSR1);
  CHECK_EQ(calls, 2);

  CHECK_ERRNO(signalfd(-1, &mask, 1), EINVAL);
  CHECK_ERRNO(syscall(SYS_signalfd4, -1, &mask, 4, 0), EINVAL);
  CHECK_ERRNO(signalfd(0, &mask, 0), EINVAL);
}

int main(void) {
  RUN(signals_are_read);
  return 0;
}
