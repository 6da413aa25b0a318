// poll, select, epoll and what they wait for: pipes, eventfd, timerfd, time.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>

#include "check.h"

static long now_ms(void) {
  struct timespec now;
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int ends[2];  // of a pipe

static void polls(void) {
  struct pollfd entries[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {-1, POLLIN, 99}};
  CHECK_EQ(poll(entries, 3, 1000), 1);
  CHECK_EQ(entries[0].revents, 0);
  CHECK_EQ(entries[1].revents, POLLOUT);
  CHECK_EQ(entries[2].revents, 0);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  CHECK_EQ(poll(entries, 1, -1), 1);
  CHECK_EQ(entries[0].revents, POLLIN);
  char byte;
  CHECK_EQ(read(ends[0], &byte, 1), 1);
  long start = now_ms();
  CHECK_EQ(poll(entries, 1, 30), 0);
  CHECK(now_ms() - start >= 29);
  struct pollfd closed = {60000, POLLIN, 0};
  CHECK_EQ(poll(&closed, 1, 0), 1);
  CHECK_EQ(closed.revents, POLLNVAL);
  CHECK_ERRNO(syscall(SYS_poll, 8, 1, 0), EFAULT);
  struct timespec limit = {0, 20000000};
  sigset_t mask;
  sigemptyset(&mask);
  CHECK_EQ(ppoll(entries, 1, &limit, &mask), 0);
  limit.tv_nsec = -1;
  CHECK_ERRNO(ppoll(entries, 1, &limit, NULL), EINVAL);
}

static void selects(void) {
  fd_set readable, writable;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_SET(ends[0], &readable);
  FD_SET(ends[1], &writable);
  struct timeval limit = {1, 0};
  CHECK_EQ(select(ends[1] + 1, &readable, &writable, NULL, &limit), 1);
  CHECK(!FD_ISSET(ends[0], &readable));
  CHECK(FD_ISSET(ends[1], &writable));
  FD_ZERO(&readable);
  FD_SET(ends[0], &readable);
  struct timespec brief = {0, 10000000};
  CHECK_EQ(pselect(ends[0] + 1, &readable, NULL, NULL, &brief, NULL), 0);
  CHECK(!FD_ISSET(ends[0], &readable));
  FD_SET(63, &readable);
  CHECK_ERRNO(select(64, &readable, NULL, NULL, &limit), EBADF);
  CHECK_ERRNO(select(-1, NULL, NULL, NULL, &limit), EINVAL);
}

static void epolls(void) {
  int epoll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_NONBLOCK);
  struct epoll_event wanted = {EPOLLIN, {.u64 = 11}}, got[4];
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &wanted), 0);
  CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &wanted), EEXIST);
  wanted.data.u64 = 22;
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted), 0);
  CHECK_EQ(epoll_wait(epoll, got, 4, 0), 0);
  long start = now_ms();
  CHECK_EQ(epoll_wait(epoll, got, 4, 20), 0);
  CHECK(now_ms() - start >= 19);
  uint64_t count = 5;
  CHECK_EQ(write(event, &count, 8), 8);
  CHECK_EQ(write(ends[1], "y", 1), 1);
  CHECK_EQ(epoll_wait(epoll, got, 4, -1), 2);
  CHECK_EQ(got[0].data.u64 + got[1].data.u64, 33);
  CHECK_EQ(epoll_pwait(epoll, got, 1, -1, NULL), 1);
  count = 0;
  CHECK_EQ(read(event, &count, 8), 8);
  CHECK_EQ(count, 5);
  CHECK_ERRNO(read(event, &count, 8), EAGAIN);
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], NULL), 0);
  CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], NULL), ENOENT);
  CHECK_ERRNO(epoll_wait(epoll, got, 0, 0), EINVAL);
  CHECK_ERRNO(epoll_wait(ends[0], got, 1, 0), EINVAL);
}

static void timer_descriptor(void) {
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  struct itimerspec in_10ms = {{0, 0}, {0, 10000000}}, left;
  CHECK_EQ(timerfd_settime(timer, 0, &in_10ms, NULL), 0);
  CHECK_EQ(timerfd_gettime(timer, &left), 0);
  uint64_t expirations = 0;
  CHECK_EQ(read(timer, &expirations, 8), 8);
  CHECK_EQ(expirations, 1);
}

int main(void) {
  CHECK_EQ(pipe(ends), 0);
  RUN(polls);
  RUN(selects);
  RUN(epolls);
  RUN(timer_descriptor);
  return 0;
}
