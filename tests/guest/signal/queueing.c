// What is pending: which comes first, what is merged, what is lost when RLIMIT_SIGPENDING is reached.
#include <sys/resource.h>

#include "check.h"

static volatile int calls;
static int order[64], values[64], codes[64];
static pid_t pids[64];
static void note(int number, siginfo_t* info, void* context) {
  order[calls] = number;
  values[calls] = info->si_value.sival_int;
  codes[calls] = info->si_code;
  pids[calls] = info->si_pid;
  ++calls;
}

static sigset_t every, none;
static void block(void) {
  calls = 0;
  CHECK_EQ(sigprocmask(SIG_SETMASK, &every, NULL), 0);
}
static void unblock(void) { CHECK_EQ(sigprocmask(SIG_SETMASK, &none, NULL), 0); }
static void queue(int number, int value) {
  CHECK_EQ(sigqueue(getpid(), number, (union sigval){.sival_int = value}), 0);
}
/// Takes them one after the other, in the kernel's order.
static int take(siginfo_t* info) {
  const struct timespec at_once = {0, 0};
  const int number = (int)syscall(SYS_rt_sigtimedwait, &every, info, &at_once, 8);  // libc changes SI_TKILL
  if (number < 0) CHECK_EQ(errno, EAGAIN);
  return number;
}

static void lowest_number_first(void) {
  block();
  const int numbers[] = {SIGRTMAX, SIGRTMIN + 5, SIGTERM, SIGUSR1, SIGRTMIN, SIGHUP};
  for (int i = 0; i < 6; i++) queue(numbers[i], i);
  const int wanted[] = {SIGHUP, SIGUSR1, SIGTERM, SIGRTMIN, SIGRTMIN + 5, SIGRTMAX};
  siginfo_t info;
  for (int i = 0; i < 6; i++) CHECK_EQ(take(&info), wanted[i]);
  CHECK_EQ(take(&info), -1);
}
static void faults_come_before_others(void) {
  block();
  kill(getpid(), SIGHUP);
  kill(getpid(), SIGSEGV);
  kill(getpid(), SIGTRAP);
  kill(getpid(), SIGSYS);
  siginfo_t info;
  CHECK_EQ(take(&info), SIGTRAP);
  CHECK_EQ(take(&info), SIGSEGV);
  CHECK_EQ(take(&info), SIGSYS);
  CHECK_EQ(take(&info), SIGHUP);
}
static void own_before_the_processs(void) {
  block();
  queue(SIGUSR1, 1);
  syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
  siginfo_t info;
  CHECK_EQ(take(&info), SIGUSR2);  // the thread's own, though its number is higher
  CHECK_EQ(take(&info), SIGUSR1);
}
static void equal_numbers_in_order(void) {
  block();
  for (int i = 0; i < 20; i++) queue(SIGRTMIN + 1, i);
  siginfo_t info;
  for (int i = 0; i < 20; i++) {
    CHECK_EQ(take(&info), SIGRTMIN + 1);
    CHECK_EQ(info.si_int, i);
  }
}
static void standard_signals_merge(void) {
  block();
  queue(SIGUSR1, 7);
  queue(SIGUSR1, 8);
  kill(getpid(), SIGUSR1);
  siginfo_t info;
  CHECK_EQ(take(&info), SIGUSR1);
  CHECK_EQ(info.si_int, 7);  // the first one's siginfo
  CHECK_EQ(take(&info), -1);
}
static void one_each_for_thread_and_process(void) {
  block();
  raise(SIGUSR1);
  kill(getpid(), SIGUSR1);
  siginfo_t info;
  CHECK_EQ(take(&info), SIGUSR1);
  CHECK_EQ(info.si_code, SI_TKILL);
  CHECK_EQ(take(&info), SIGUSR1);
  CHECK_EQ(info.si_code, SI_USER);
  CHECK_EQ(take(&info), -1);
}
static void hundreds_are_queued(void) {
  block();
  for (int i = 0; i < 500; i++) queue(SIGRTMIN, i);
  siginfo_t info;
  for (int i = 0; i < 500; i++) {
    CHECK_EQ(take(&info), SIGRTMIN);
    CHECK_EQ(info.si_int, i);
  }
  CHECK_EQ(take(&info), -1);
}
/// All frames are built before the first handler runs, so the last one taken runs first.
static void handlers_run_last_first(void) {
  block();
  queue(SIGHUP, 1);
  queue(SIGUSR1, 2);
  queue(SIGRTMIN, 3);
  unblock();
  CHECK_EQ(calls, 3);
  CHECK_EQ(order[0], SIGRTMIN);
  CHECK_EQ(order[1], SIGUSR1);
  CHECK_EQ(order[2], SIGHUP);
}
static void stop_and_continue_cancel(void) {
  block();
  kill(getpid(), SIGTSTP);
  kill(getpid(), SIGTTIN);
  kill(getpid(), SIGCONT);
  siginfo_t info;
  sigset_t pending;
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGTSTP), 0);
  CHECK_EQ(sigismember(&pending, SIGTTIN), 0);
  CHECK_EQ(sigismember(&pending, SIGCONT), 1);
  kill(getpid(), SIGTTOU);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGCONT), 0);
  CHECK_EQ(take(&info), SIGTTOU);
}

// --- RLIMIT_SIGPENDING: nothing more is kept, but a signal may still come ---

static struct rlimit old_limit;
static void limit_queue(rlim_t count) {
  CHECK_EQ(getrlimit(RLIMIT_SIGPENDING, &old_limit), 0);
  const struct rlimit limit = {count, old_limit.rlim_max};
  CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
}
static void unlimit_queue(void) { CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &old_limit), 0); }

static void full_queue_refuses_sigqueue(void) {
  block();
  limit_queue(0);
  CHECK_ERRNO(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1}), EAGAIN);
  siginfo_t info;
  CHECK_EQ(take(&info), -1);
  unlimit_queue();
}
static void full_queue_loses_info_of_kill(void) {
  block();
  limit_queue(0);
  CHECK_EQ(kill(getpid(), SIGRTMIN), 0);
  CHECK_EQ(kill(getpid(), SIGRTMIN), 0);
  siginfo_t info;
  CHECK_EQ(take(&info), SIGRTMIN);
  CHECK_EQ(info.si_code, SI_USER);
  CHECK_EQ(info.si_pid, 0);
  CHECK_EQ(info.si_uid, 0);
  CHECK_EQ(take(&info), -1);
  unlimit_queue();
}
static void full_queue_keeps_standard_signals(void) {
  block();
  limit_queue(0);
  CHECK_EQ(kill(getpid(), SIGUSR1), 0);
  siginfo_t info;
  CHECK_EQ(take(&info), SIGUSR1);
  CHECK_EQ(info.si_pid, getpid());
  unlimit_queue();
}
static void full_queue_loses_info_of_standard_sigqueue(void) {
  block();
  limit_queue(0);
  CHECK_EQ(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 5}), 0);
  siginfo_t info;
  CHECK_EQ(take(&info), SIGUSR1);
  CHECK_EQ(info.si_code, SI_USER);
  CHECK_EQ(info.si_pid, 0);
  CHECK_EQ(info.si_int, 0);
  unlimit_queue();
}
static void full_queue_and_tgkill(void) {
  block();
  limit_queue(0);
  CHECK_ERRNO(syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN), EAGAIN);
  CHECK_EQ(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1), 0);
  siginfo_t info;
  CHECK_EQ(take(&info), SIGUSR1);
  CHECK_EQ(info.si_code, SI_USER);  // SI_TKILL is negative, so its siginfo was not kept
  unlimit_queue();
}
static void full_queue_has_no_timers(void) {
  limit_queue(0);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EAGAIN);
  unlimit_queue();
}

int main(void) {
  sigfillset(&every);
  sigdelset(&every, SIGALRM);
  sigemptyset(&none);
  on_signal(SIGHUP, note, 0);
  on_signal(SIGUSR1, note, 0);
  on_signal(SIGRTMIN, note, 0);
  RUN(lowest_number_first);
  RUN(faults_come_before_others);
  RUN(own_before_the_processs);
  RUN(equal_numbers_in_order);
  RUN(standard_signals_merge);
  RUN(one_each_for_thread_and_process);
  RUN(hundreds_are_queued);
  RUN(handlers_run_last_first);
  RUN(stop_and_continue_cancel);
  RUN(full_queue_refuses_sigqueue);
  RUN(full_queue_loses_info_of_kill);
  RUN(full_queue_keeps_standard_signals);
  RUN(full_queue_loses_info_of_standard_sigqueue);
  RUN(full_queue_and_tgkill);
  RUN(full_queue_has_no_timers);
  return 0;
}
