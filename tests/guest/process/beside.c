// Processes of clone(2) that use their maker's memory, descriptors and directory and run beside it: what is
// theirs alone, and how they end.
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

enum { kBeside = CLONE_VM | CLONE_FS | CLONE_FILES };

static char stack[1 << 16] __attribute__((aligned(16)));
static volatile int seen[8];
static volatile int go_on;

/// No libc that would cache or lock: its thread is the maker's.
static long raw(long number, long a, long b, long c) { return syscall(number, a, b, c); }

static pid_t make(int (*body)(void*), int flags) {
  go_on = 0;
  const pid_t child = clone(body, stack + sizeof stack, kBeside | flags, NULL);
  CHECK(child > 0);
  return child;
}

static int tells_ids(void* nothing) {
  (void)nothing;
  seen[0] = raw(SYS_getpid, 0, 0, 0);
  seen[1] = raw(SYS_gettid, 0, 0, 0);
  seen[2] = raw(SYS_getppid, 0, 0, 0);
  seen[3] = getpgrp();
  while (!go_on) raw(SYS_sched_yield, 0, 0, 0);
  return 5;
}

static void has_ids_of_its_own(void) {
  const pid_t child = make(tells_ids, SIGCHLD);
  while (seen[3] == 0) sched_yield();
  CHECK_EQ(seen[0], child);
  CHECK_EQ(seen[1], child);
  CHECK_EQ(seen[2], getpid());
  CHECK_EQ(seen[3], getpgrp());
  CHECK_EQ(kill(child, 0), 0);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
  go_on = 1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 5 << 8);
  CHECK_ERRNO(kill(child, 0), ESRCH);
}

static int opens_and_leaves(void* nothing) {
  (void)nothing;
  seen[0] = open("/dev/null", O_RDONLY);
  seen[1] = chdir("/");
  raw(SYS_exit_group, 3, 0, 0);
  return 0;
}

static void shares_descriptors_and_directory(void) {
  char before[256], after[256];
  CHECK(getcwd(before, sizeof before) != NULL);
  const pid_t child = make(opens_and_leaves, 0);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, __WALL), child);
  CHECK_EQ(status, 3 << 8);
  CHECK_EQ(close(seen[0]), 0);
  CHECK(getcwd(after, sizeof after) != NULL);
  CHECK_EQ(strcmp(after, "/"), 0);
  CHECK_EQ(chdir(before), 0);
}

static int leaves(void* nothing) {
  (void)nothing;
  return 9;
}

static void is_waited_for_as_clone_child(void) {
  const pid_t child = make(leaves, 0);
  CHECK_ERRNO(waitpid(child, NULL, 0), ECHILD);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, __WCLONE), child);
  CHECK_EQ(status, 9 << 8);
  CHECK_ERRNO(waitpid(child, NULL, __WALL), ECHILD);
}

static void is_waited_for_among_others(void) {
  const pid_t other = fork();
  if (other == 0) _exit(4);
  const pid_t child = make(leaves, SIGCHLD);
  int statuses = 0;
  for (int i = 0; i < 2; ++i) {
    int status = -1;
    const pid_t ended = waitpid(-1, &status, 0);
    CHECK(ended == child || ended == other);
    statuses += WEXITSTATUS(status);
  }
  CHECK_EQ(statuses, 13);
  CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
}

static void waitid_tells_of_it(void) {
  const pid_t child = make(leaves, SIGCHLD);
  siginfo_t info;
  memset(&info, 0xff, sizeof info);
  CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_signo, SIGCHLD);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_status, 9);
  CHECK_EQ(waitid(P_PID, child, &info, WEXITED), 0);
  CHECK_EQ(waitid(P_PID, child, &info, WEXITED), -1);
}

static void waitid_for_stops_leaves_ends(void) {
  const pid_t child = make(leaves, SIGCHLD);
  siginfo_t info;
  CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
  CHECK_ERRNO(waitid(P_PID, child, &info, WSTOPPED), ECHILD);
  CHECK_ERRNO(waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED | WNOHANG), ECHILD);
  CHECK_EQ(waitid(P_PID, child, &info, WEXITED), 0);
  CHECK_EQ(info.si_status, 9);
}

static volatile int handled_by, handled_status, handled_child;
static void note(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  handled_by = raw(SYS_gettid, 0, 0, 0);
  handled_status = info->si_status;
  handled_child = info->si_pid;
}

static void its_end_is_signalled(void) {
  on_signal(SIGUSR1, note, 0);
  handled_by = 0;
  const pid_t child = make(leaves, SIGUSR1);
  while (handled_by == 0) sched_yield();
  CHECK_EQ(handled_by, getpid());
  CHECK_EQ(handled_status, 9);
  CHECK_EQ(handled_child, child);
  CHECK_EQ(waitpid(child, NULL, __WALL), child);
}

static int changes_its_actions(void* nothing) {
  (void)nothing;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  seen[0] = sigaction(SIGUSR2, &action, NULL);
  raw(SYS_kill, raw(SYS_getpid, 0, 0, 0), SIGUSR2, 0);
  seen[1] = 1;
  return 0;
}

static void has_actions_of_its_own(void) {
  on_signal(SIGUSR2, note, 0);
  seen[1] = 0;
  handled_by = 0;
  const pid_t child = make(changes_its_actions, 0);
  CHECK_EQ(waitpid(child, NULL, __WALL), child);
  CHECK_EQ(seen[0], 0);
  CHECK_EQ(seen[1], 1);
  CHECK_EQ(handled_by, 0);
  raise(SIGUSR2);
  CHECK_EQ(handled_by, getpid());
}

static int waits_for_ever(void* nothing) {
  (void)nothing;
  seen[0] = 1;
  while (seen[0] == 1) raw(SYS_pause, 0, 0, 0);
  return 0;
}

static void ends_by_a_signal_alone(void) {
  seen[0] = 0;
  const pid_t child = make(waits_for_ever, 0);
  while (!seen[0]) sched_yield();
  CHECK_EQ(kill(child, SIGTERM), 0);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, __WALL), child);
  CHECK_EQ(status, SIGTERM);
}

static int faults(void* nothing) {
  (void)nothing;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigaction(SIGSEGV, &action, NULL);
  *(volatile int*)8 = 1;
  return 0;
}

static void ends_by_a_fault_alone(void) {
  const pid_t child = make(faults, 0);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, __WALL), child);
  CHECK_EQ(status & 0x7f, SIGSEGV);
}

static int looks_at_its_parents_death(void* nothing) {
  (void)nothing;
  seen[0] = prctl(PR_SET_PDEATHSIG, SIGKILL);
  int signal = 0;
  seen[1] = prctl(PR_GET_PDEATHSIG, &signal);
  seen[2] = signal;
  return 0;
}

static void has_a_death_signal_of_its_own(void) {
  const pid_t child = make(looks_at_its_parents_death, 0);
  CHECK_EQ(waitpid(child, NULL, __WALL), child);
  CHECK_EQ(seen[0], 0);
  CHECK_EQ(seen[1], 0);
  CHECK_EQ(seen[2], SIGKILL);
  int signal = -1;
  CHECK_EQ(prctl(PR_GET_PDEATHSIG, &signal), 0);
  CHECK_EQ(signal, 0);
}

static void* makes_one(void* nothing) {
  (void)nothing;
  const pid_t child = make(leaves, SIGCHLD);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return (void*)(long)status;
}

static void a_thread_makes_one(void) {
  pthread_t thread;
  void* status;
  CHECK_EQ(pthread_create(&thread, NULL, makes_one, NULL), 0);
  CHECK_EQ(pthread_join(thread, &status), 0);
  CHECK_EQ((long)status, 9 << 8);
}

static void forks_after_one(void) {
  seen[0] = 0;
  const pid_t beside = make(waits_for_ever, 0);
  while (!seen[0]) sched_yield();
  const pid_t child = fork();
  if (child == 0) _exit(waitpid(beside, NULL, __WALL) == -1 && errno == ECHILD ? 6 : 1);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 6 << 8);
  CHECK_EQ(kill(beside, SIGKILL), 0);
  CHECK_EQ(waitpid(beside, &status, __WALL), beside);
  CHECK_EQ(status, SIGKILL);
}

int main(void) {
  RUN(has_ids_of_its_own);
  RUN(shares_descriptors_and_directory);
  RUN(is_waited_for_as_clone_child);
  RUN(is_waited_for_among_others);
  RUN(waitid_tells_of_it);
  RUN(waitid_for_stops_leaves_ends);
  RUN(its_end_is_signalled);
  RUN(has_actions_of_its_own);
  RUN(ends_by_a_signal_alone);
  RUN(ends_by_a_fault_alone);
  RUN(has_a_death_signal_of_its_own);
  RUN(a_thread_makes_one);
  RUN(forks_after_one);
  return 0;
}
