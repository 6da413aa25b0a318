// The waiting calls that libc hides behind others, and the masks they take.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "check.h"

static volatile sig_atomic_t caught;
static void handler(int number, siginfo_t* info, void* context) { caught = number; }

static void raw_waits(void) {
  int event = (int)syscall(SYS_eventfd2, 1, EFD_CLOEXEC), old = (int)syscall(SYS_eventfd, 0);
  CHECK(event >= 0 && old >= 0);
  int epoll = (int)syscall(SYS_epoll_create, 1);
  struct epoll_event wanted = {EPOLLIN, {.fd = event}}, got[2];
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted), 0);
  struct timespec brief = {0, 3000000};
  CHECK_EQ(syscall(SYS_epoll_pwait2, epoll, got, 2, &brief, NULL, 8), 1);
  CHECK_EQ(got[0].data.fd, event);
  uint64_t count;
  CHECK_EQ(read(event, &count, 8), 8);
  CHECK_EQ(syscall(SYS_epoll_pwait2, epoll, got, 2, &brief, NULL, 8), 0);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(old, &set);
  CHECK_EQ(syscall(SYS_pselect6, old + 1, &set, NULL, NULL, &brief, NULL), 0);

  // A blocked signal that a mask lets in ends the wait; one that stays blocked does not.
  on_signal(SIGUSR1, handler, SA_RESTART);
  change_mask(SIG_BLOCK, SIGUSR1);
  CHECK_EQ(raise(SIGUSR1), 0);
  struct pollfd entry = {old, POLLIN, 0};
  brief = (struct timespec){0, 5000000};
  CHECK_EQ(ppoll(&entry, 1, &brief, NULL), 0);
  CHECK_EQ(caught, 0);
  sigset_t open_mask;
  sigemptyset(&open_mask);
  brief = (struct timespec){5, 0};
  CHECK_ERRNO(ppoll(&entry, 1, &brief, &open_mask), EINTR);
  CHECK_EQ(caught, SIGUSR1);
  caught = 0;
  CHECK_EQ(raise(SIGUSR1), 0);
  CHECK_ERRNO(epoll_pwait(epoll, got, 2, 5000, &open_mask), EINTR);
  CHECK_EQ(caught, SIGUSR1);
  sigset_t now;
  CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &now), 0);
  CHECK(sigismember(&now, SIGUSR1));
  // What is ready comes before what is pending.
  caught = 0;
  CHECK_EQ(raise(SIGUSR1), 0);
  count = 1;
  CHECK_EQ(write(old, &count, 8), 8);
  CHECK_EQ(ppoll(&entry, 1, NULL, &open_mask), 1);
  CHECK_EQ(caught, 0);
}

int main(void) {
  RUN(raw_waits);
  return 0;
}
