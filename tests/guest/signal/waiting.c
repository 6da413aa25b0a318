// sigsuspend, sigwaitinfo, sigtimedwait, pause, and the masks of ppoll and its kin.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>

#include "check.h"

static volatile int calls;
static sigset_t during, waited, empty;
static void note(int number, siginfo_t* info, void* context) {
  ++calls;
  sigprocmask(SIG_BLOCK, NULL, &during);
}

static void alarm_in(int milliseconds) {
  const struct itimerval timer = {.it_value = {.tv_usec = milliseconds * 1000}};
  calls = 0;
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}
static int is_blocked(int number) {
  sigset_t now;
  CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &now), 0);
  return sigismember(&now, number);
}
static const struct timespec at_once = {0, 0}, little = {0, 10000000}, second = {5, 0};

static void suspend_waits_with_its_mask(void) {
  alarm_in(5);
  CHECK_ERRNO(sigsuspend(&empty), EINTR);
  CHECK_EQ(calls, 1);
  CHECK_EQ(sigismember(&during, SIGUSR1), 0);
  CHECK_EQ(sigismember(&during, SIGALRM), 1);
}
static void suspend_restores_the_mask(void) {
  alarm_in(5);
  CHECK_ERRNO(sigsuspend(&empty), EINTR);
  CHECK_EQ(is_blocked(SIGUSR1), 1);
  CHECK_EQ(is_blocked(SIGALRM), 1);
  CHECK_EQ(is_blocked(SIGUSR2), 0);
}
static void suspend_takes_what_is_pending(void) {
  calls = 0;
  raise(SIGUSR1);
  CHECK_ERRNO(sigsuspend(&empty), EINTR);
  CHECK_EQ(calls, 1);
}
static void suspend_refusals(void) {
  CHECK_ERRNO(syscall(SYS_rt_sigsuspend, &empty, 4), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigsuspend, (void*)8, 8), EFAULT);
}
static void pause_waits_for_a_handler(void) {
  change_mask(SIG_UNBLOCK, SIGALRM);
  const struct itimerval timer = {{0, 3000}, {0, 3000}}, off = {{0, 0}, {0, 0}};
  calls = 0;
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  CHECK_ERRNO(pause(), EINTR);
  CHECK(calls >= 1);
  CHECK_EQ(setitimer(ITIMER_REAL, &off, NULL), 0);
  change_mask(SIG_BLOCK, SIGALRM);
}
static void waitinfo_takes_what_is_pending(void) {
  siginfo_t info;
  CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}), 0);
  CHECK_EQ(sigwaitinfo(&waited, &info), SIGRTMIN);
  CHECK_EQ(info.si_signo, SIGRTMIN);
  CHECK_EQ(info.si_code, SI_QUEUE);
  CHECK_EQ(info.si_int, 5);
  CHECK_EQ(info.si_pid, getpid());
}
static void waitinfo_waits(void) {
  siginfo_t info;
  alarm_in(5);
  CHECK_EQ(sigwaitinfo(&waited, &info), SIGALRM);
  CHECK_EQ(info.si_code, SI_KERNEL);
  CHECK_EQ(calls, 0);  // its handler does not run
}
static void sigwait_tells_the_number(void) {
  int number = 0;
  raise(SIGUSR1);
  CHECK_EQ(sigwait(&waited, &number), 0);
  CHECK_EQ(number, SIGUSR1);
}
static void timedwait_looks_once(void) {
  CHECK_ERRNO(sigtimedwait(&waited, NULL, &at_once), EAGAIN);
  raise(SIGUSR1);
  CHECK_EQ(sigtimedwait(&waited, NULL, &at_once), SIGUSR1);
}
static void timedwait_gives_up(void) {
  struct timespec before, after;
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &before), 0);
  CHECK_ERRNO(sigtimedwait(&waited, NULL, &little), EAGAIN);
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &after), 0);
  CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >= little.tv_nsec);
}
static void timedwait_takes_the_ignored(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGURG);
  change_mask(SIG_BLOCK, SIGURG);
  raise(SIGURG);
  CHECK_EQ(sigtimedwait(&set, NULL, &at_once), SIGURG);
  change_mask(SIG_UNBLOCK, SIGURG);
}
static void timedwait_of_an_open_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  change_mask(SIG_UNBLOCK, SIGALRM);
  alarm_in(20);
  const int got = sigtimedwait(&set, NULL, &second);
  if (got == SIGALRM) CHECK_EQ(calls, 0);  // it came while the call waited, and was taken
  change_mask(SIG_BLOCK, SIGALRM);
}
static void timedwait_ends_for_others(void) {
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGUSR1);
  change_mask(SIG_UNBLOCK, SIGALRM);
  const struct itimerval timer = {{0, 4000}, {0, 4000}}, off = {{0, 0}, {0, 0}};
  calls = 0;
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  CHECK_ERRNO(sigtimedwait(&only, NULL, &second), EINTR);
  CHECK(calls >= 1);
  CHECK_EQ(setitimer(ITIMER_REAL, &off, NULL), 0);
  change_mask(SIG_BLOCK, SIGALRM);
}
static void timedwait_refusals(void) {
  const struct timespec bad = {0, 2000000000}, negative = {-1, 0};
  CHECK_ERRNO(sigtimedwait(&waited, NULL, &bad), EINVAL);
  CHECK_ERRNO(sigtimedwait(&waited, NULL, &negative), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &waited, NULL, &little, 4), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, 8, NULL, &little, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &waited, NULL, 8, 8), EFAULT);
}
static void timedwait_cannot_take_kill(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGKILL);
  CHECK_ERRNO(sigtimedwait(&set, NULL, &at_once), EAGAIN);
}

// --- ppoll and its kin: a mask for as long as they wait ---

static void ppoll_opens_its_mask(void) {
  alarm_in(5);
  CHECK_ERRNO(ppoll(NULL, 0, &second, &empty), EINTR);
  CHECK_EQ(calls, 1);
  CHECK_EQ(is_blocked(SIGALRM), 1);
}
static void pselect_opens_its_mask(void) {
  alarm_in(5);
  CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &second, &empty), EINTR);
  CHECK_EQ(calls, 1);
  CHECK_EQ(is_blocked(SIGALRM), 1);
}
static void epoll_pwait_opens_its_mask(void) {
  const int epoll = epoll_create1(0);
  struct epoll_event event;
  alarm_in(5);
  CHECK_ERRNO(epoll_pwait(epoll, &event, 1, 5000, &empty), EINTR);
  CHECK_EQ(calls, 1);
  CHECK_EQ(is_blocked(SIGALRM), 1);
  close(epoll);
}
static void ppoll_without_interruption_restores(void) {
  CHECK_EQ(ppoll(NULL, 0, &little, &empty), 0);
  CHECK_EQ(is_blocked(SIGALRM), 1);
}
static void ppoll_that_is_ready_leaves_signals_pending(void) {
  int ends[2];
  sigset_t pending;
  CHECK_EQ(pipe(ends), 0);
  struct pollfd entry = {ends[1], POLLOUT, 0};
  calls = 0;
  raise(SIGUSR1);
  CHECK_EQ(ppoll(&entry, 1, &second, &empty), 1);
  CHECK_EQ(calls, 0);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
  CHECK_EQ(sigtimedwait(&waited, NULL, &at_once), SIGUSR1);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  sigemptyset(&empty);
  sigemptyset(&waited);
  sigaddset(&waited, SIGALRM);
  sigaddset(&waited, SIGUSR1);
  sigaddset(&waited, SIGRTMIN);
  on_signal(SIGALRM, note, 0);
  on_signal(SIGUSR1, note, 0);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &waited, NULL), 0);
  RUN(suspend_waits_with_its_mask);
  RUN(suspend_restores_the_mask);
  RUN(suspend_takes_what_is_pending);
  RUN(suspend_refusals);
  RUN(pause_waits_for_a_handler);
  RUN(waitinfo_takes_what_is_pending);
  RUN(waitinfo_waits);
  RUN(sigwait_tells_the_number);
  RUN(timedwait_looks_once);
  RUN(timedwait_gives_up);
  RUN(timedwait_takes_the_ignored);
  RUN(timedwait_of_an_open_signal);
  RUN(timedwait_ends_for_others);
  RUN(timedwait_refusals);
  RUN(timedwait_cannot_take_kill);
  RUN(ppoll_opens_its_mask);
  RUN(pselect_opens_its_mask);
  RUN(epoll_pwait_opens_its_mask);
  RUN(ppoll_without_interruption_restores);
  RUN(ppoll_that_is_ready_leaves_signals_pending);
  return 0;
}
