// no-seed: overruns of a timer that a signalfd reports are not counted
// signalfd: reports blocked signals from everywhere, shares them with sigpending and sigwaitinfo, wakes poll.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/time.h>

#include "check.h"

static volatile int calls;
static void note(int number, siginfo_t* info, void* context) { ++calls; }

static int fd;
static sigset_t mask;
static struct signalfd_siginfo next(void) {
  struct signalfd_siginfo info;
  CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
  return info;
}
static void expect_none(void) {
  struct signalfd_siginfo info;
  CHECK_ERRNO(read(fd, &info, sizeof info), EAGAIN);
}

static void sent_before_there_was_one(void) {
  kill(getpid(), SIGUSR1);
  fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK_EQ(next().ssi_signo, SIGUSR1);
  expect_none();
}
static void flags_of_the_descriptor(void) {
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}
static void is_seen_by_sigpending(void) {
  sigset_t pending;
  kill(getpid(), SIGUSR1);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
  CHECK_EQ(next().ssi_signo, SIGUSR1);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
}
static void fields_of_kill(void) {
  kill(getpid(), SIGUSR1);
  const struct signalfd_siginfo info = next();
  CHECK_EQ(info.ssi_errno, 0);
  CHECK_EQ(info.ssi_code, SI_USER);
  CHECK_EQ(info.ssi_pid, getpid());
  CHECK_EQ(info.ssi_uid, getuid());
}
static void fields_of_tgkill(void) {
  raise(SIGUSR1);
  const struct signalfd_siginfo info = next();
  CHECK_EQ(info.ssi_code, SI_TKILL);
  CHECK_EQ(info.ssi_pid, getpid());
}
static void fields_of_sigqueue(void) {
  CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_ptr = &mask}), 0);
  const struct signalfd_siginfo info = next();
  CHECK_EQ(info.ssi_code, SI_QUEUE);
  CHECK_EQ(info.ssi_ptr, (uintptr_t)&mask);
  CHECK_EQ(info.ssi_int, (int)(uintptr_t)&mask);
}
static void fields_of_a_timer(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  event.sigev_value.sival_int = 3;
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  const struct itimerspec often = {{0, 1000000}, {0, 1000000}};
  CHECK_EQ(timer_settime(timer, 0, &often, NULL), 0);
  usleep(30000);
  const struct signalfd_siginfo info = next();
  CHECK_EQ(info.ssi_code, SI_TIMER);
  CHECK_EQ(info.ssi_int, 3);
  CHECK(info.ssi_overrun >= 5);
  CHECK_EQ(timer_delete(timer), 0);
  struct signalfd_siginfo rest;
  while (read(fd, &rest, sizeof rest) > 0) continue;
}
static void several_in_one_read(void) {
  struct signalfd_siginfo infos[8];
  for (int i = 0; i < 3; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
  kill(getpid(), SIGUSR1);
  CHECK_EQ(read(fd, infos, sizeof infos), 4 * sizeof *infos);
  CHECK_EQ(infos[0].ssi_signo, SIGUSR1);
  for (int i = 0; i < 3; i++) CHECK_EQ(infos[i + 1].ssi_int, i);
}
static void as_many_as_fit(void) {
  struct signalfd_siginfo infos[2];
  for (int i = 0; i < 3; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
  CHECK_EQ(read(fd, infos, sizeof infos + 7), sizeof infos);
  CHECK_EQ(next().ssi_int, 2);
  CHECK_ERRNO(read(fd, infos, sizeof *infos - 1), EINVAL);
}
static void hundreds(void) {
  for (int i = 0; i < 300; i++) CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}), 0);
  for (int i = 0; i < 300; i++) CHECK_EQ(next().ssi_int, i);
  expect_none();
}
static void hundreds_before_there_was_one(void) {
  const int number = SIGRTMIN + 2;
  sigset_t other;
  sigemptyset(&other);
  sigaddset(&other, number);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &other, NULL), 0);
  for (int i = 0; i < 300; i++) CHECK_EQ(sigqueue(getpid(), number, (union sigval){.sival_int = i}), 0);
  const int second = signalfd(-1, &other, SFD_NONBLOCK);
  struct signalfd_siginfo info;
  for (int i = 0; i < 300; i++) {
    CHECK_EQ(read(second, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_int, i);
  }
  CHECK_ERRNO(read(second, &info, sizeof info), EAGAIN);
  close(second);
}
static void wakes_poll(void) {
  const struct itimerval timer = {.it_value = {.tv_usec = 10000}};
  struct pollfd entry = {fd, POLLIN, 0};
  CHECK_EQ(poll(&entry, 1, 0), 0);
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  CHECK_EQ(poll(&entry, 1, 5000), 1);
  CHECK_EQ(next().ssi_signo, SIGALRM);
}
static void wakes_epoll(void) {
  const struct itimerval timer = {.it_value = {.tv_usec = 10000}};
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  const int epoll = epoll_create1(0);
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
  CHECK_EQ(next().ssi_signo, SIGALRM);
  close(epoll);
}
static void blocking_read_waits(void) {
  const struct itimerval timer = {.it_value = {.tv_usec = 5000}};
  CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  CHECK_EQ(next().ssi_signo, SIGALRM);
  CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}
static void shared_with_sigwaitinfo(void) {
  raise(SIGUSR1);
  CHECK_EQ(sigwaitinfo(&mask, NULL), SIGUSR1);
  expect_none();
}
static void handler_runs_when_unblocked(void) {
  calls = 0;
  on_signal(SIGUSR1, note, 0);
  raise(SIGUSR1);
  CHECK_EQ(calls, 0);
  change_mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQ(calls, 1);
  expect_none();
  raise(SIGUSR1);
  CHECK_EQ(calls, 2);
  change_mask(SIG_BLOCK, SIGUSR1);
}
static void mask_can_be_changed(void) {
  sigset_t other;
  sigemptyset(&other);
  sigaddset(&other, SIGUSR1);
  CHECK_EQ(signalfd(fd, &other, 0), fd);
  kill(getpid(), SIGUSR1);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1});
  CHECK_EQ(next().ssi_signo, SIGUSR1);
  expect_none();
  CHECK_EQ(signalfd(fd, &mask, 0), fd);
  CHECK_EQ(next().ssi_signo, SIGRTMIN);
}
static void two_descriptors(void) {
  sigset_t other;
  sigemptyset(&other);
  sigaddset(&other, SIGUSR1);
  const int second = signalfd(-1, &other, SFD_NONBLOCK);
  struct signalfd_siginfo info;
  kill(getpid(), SIGUSR1);
  CHECK_EQ(read(second, &info, sizeof info), sizeof info);
  expect_none();
  close(second);
}
static void refusals(void) {
  CHECK_ERRNO(signalfd(-1, &mask, 1), EINVAL);
  CHECK_ERRNO(syscall(SYS_signalfd4, -1, &mask, 4, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_signalfd4, -1, 8, 8, 0), EFAULT);
  CHECK_ERRNO(signalfd(0, &mask, 0), EINVAL);
  CHECK_ERRNO(signalfd(999, &mask, 0), EBADF);
  CHECK_ERRNO(write(fd, "12345678", 8), EINVAL);
}

int main(void) {
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGALRM);
  sigaddset(&mask, SIGRTMIN);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
  RUN(sent_before_there_was_one);
  RUN(flags_of_the_descriptor);
  RUN(is_seen_by_sigpending);
  RUN(fields_of_kill);
  RUN(fields_of_tgkill);
  RUN(fields_of_sigqueue);
  RUN(fields_of_a_timer);
  RUN(several_in_one_read);
  RUN(as_many_as_fit);
  RUN(hundreds);
  RUN(hundreds_before_there_was_one);
  RUN(wakes_poll);
  RUN(wakes_epoll);
  RUN(blocking_read_waits);
  RUN(shared_with_sigwaitinfo);
  RUN(handler_runs_when_unblocked);
  RUN(mask_can_be_changed);
  RUN(two_descriptors);
  RUN(refusals);
  return 0;
}
