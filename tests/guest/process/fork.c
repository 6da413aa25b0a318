// Children of fork, vfork and clone: what they share with their parents, what is their own, how they are
// waited for.
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"

extern char** environ;

static int wait_status(pid_t child) {
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return status;
}

static int global = 1;
static void memory_is_a_copy(void) {
  int local = 2;
  int* const heap = malloc(sizeof *heap);
  *heap = 3;
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    const int seen = global * 100 + local * 10 + *heap;
    global = local = *heap = 9;
    _exit(seen == 123 ? 7 : 1);
  }
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 7);
  CHECK_EQ(global * 100 + local * 10 + *heap, 123);
  free(heap);
}

static void ids(void) {
  const pid_t parent = getpid();
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const pid_t told[4] = {getpid(), getppid(), (pid_t)syscall(SYS_gettid), getpgrp()};
    CHECK_EQ(write(ends[1], told, sizeof told), (long)sizeof told);
    _exit(0);
  }
  pid_t told[4];
  CHECK_EQ(read(ends[0], told, sizeof told), (long)sizeof told);
  CHECK_EQ(told[0], child);
  CHECK_EQ(told[1], parent);
  CHECK_EQ(told[2], child);
  CHECK_EQ(told[3], getpgrp());
  CHECK_EQ(wait_status(child), 0);
  close(ends[0]);
  close(ends[1]);
}

static void descriptors_share_their_file(void) {
  int ends[2];
  char path[] = "shared-XXXXXX";
  const int fd = mkstemp(path);
  unlink(path);
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    CHECK_EQ(write(fd, "abc", 3), 3);
    close(ends[1]);
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 0);  // the parent's end is closed too
    _exit(0);
  }
  close(ends[1]);
  close(ends[0]);
  CHECK_EQ(wait_status(child), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
  close(fd);
}

static void many_children(void) {
  pid_t children[20];
  for (int i = 0; i < 20; ++i)
    if ((children[i] = fork()) == 0) _exit(i);
  for (int i = 19; i >= 0; --i) CHECK_EQ(WEXITSTATUS(wait_status(children[i])), i);
  CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
}

static void generations(void) {
  const pid_t child = fork();
  if (child == 0) {
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(fork() == 0 ? 0 : 5);
    _exit(WEXITSTATUS(wait_status(grandchild)) + 1);
  }
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 6);
}

static void killed_child(void) {
  for (int number = 1; number <= 15; number += 7) {
    const pid_t child = fork();
    if (child == 0) {
      raise(number);
      _exit(0);
    }
    CHECK_EQ(WTERMSIG(wait_status(child)), number);
  }
  const pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  CHECK_EQ(kill(child, SIGKILL), 0);
  CHECK_EQ(WTERMSIG(wait_status(child)), SIGKILL);
  CHECK_ERRNO(kill(child, 0), ESRCH);
}

static void stops_and_continues(void) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    setpgid(0, 0);  // an orphaned group would not stop for SIGTSTP
    raise(SIGSTOP);
    read(ends[0], &byte, 1);  // a second stop would hide that it went on
    raise(SIGTSTP);
    _exit(4);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  CHECK_EQ(kill(child, SIGCONT), 0);
  CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
  CHECK(WIFCONTINUED(status));
  CHECK_EQ(write(ends[1], "g", 1), 1);
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
  CHECK_EQ(kill(child, SIGCONT), 0);
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 4);
  close(ends[0]);
  close(ends[1]);
}

static volatile int children_ended;
static siginfo_t last_end;
static void note_end(int number, siginfo_t* info, void* context) {
  ++children_ended;
  last_end = *info;
}
static void child_signal(void) {
  on_signal(SIGCHLD, note_end, SA_RESTART);
  const pid_t child = fork();
  if (child == 0) _exit(11);
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 11);
  while (children_ended == 0) usleep(1000);
  CHECK_EQ(children_ended, 1);
  CHECK_EQ(last_end.si_pid, child);
  CHECK_EQ(last_end.si_code, CLD_EXITED);
  CHECK_EQ(last_end.si_status, 11);
  signal(SIGCHLD, SIG_DFL);
}

static void ignored_children_are_reaped(void) {
  signal(SIGCHLD, SIG_IGN);
  const pid_t child = fork();
  if (child == 0) _exit(1);
  CHECK_ERRNO(waitpid(child, NULL, 0), ECHILD);
  signal(SIGCHLD, SIG_DFL);
}

static void pending_signals_stay_with_the_parent(void) {
  change_mask(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  const pid_t child = fork();
  if (child == 0) {
    sigset_t pending, blocked;
    sigpending(&pending);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    _exit(sigismember(&pending, SIGUSR1) * 2 + sigismember(&blocked, SIGUSR1));
  }
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 1);
  signal(SIGUSR1, SIG_IGN);
  change_mask(SIG_UNBLOCK, SIGUSR1);
  signal(SIGUSR1, SIG_DFL);
}

static void timers_stay_with_the_parent(void) {
  alarm(100);
  const pid_t child = fork();
  if (child == 0) _exit((int)alarm(0));
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 0);
  CHECK(alarm(0) > 90);
}

static void regions_not_for_children(void) {
  char* const none = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* const wiped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *none = *wiped = 'x';
  CHECK_EQ(madvise(none, 4096, MADV_DONTFORK), 0);
  CHECK_EQ(madvise(wiped, 4096, MADV_WIPEONFORK), 0);
  const pid_t child = fork();
  if (child == 0) {
    unsigned char resident;
    const int gone = mincore(none, 4096, &resident) == -1 && errno == ENOMEM;
    _exit(gone * 2 + (*wiped == 0));
  }
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 3);
  CHECK(*none == 'x' && *wiped == 'x');
  munmap(none, 4096);
  munmap(wiped, 4096);
}

static volatile int told_by_child;
static void vfork_shares_memory(void) {
  told_by_child = 0;
  const pid_t child = vfork();
  if (child == 0) {
    told_by_child = 42;
    _exit(3);
  }
  CHECK_EQ(told_by_child, 42);
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 3);
}

static void vfork_until_exec(void) {
  char* const arguments[] = {"sh", "-c", "exit 9", NULL};
  told_by_child = 0;
  const pid_t child = vfork();
  if (child == 0) {
    told_by_child = 1;
    execv("/nonexistent", arguments);
    told_by_child = errno;
    execv("/bin/sh", arguments);
    _exit(1);
  }
  CHECK_EQ(told_by_child, ENOENT);
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 9);
}

static void spawn(void) {
  pid_t child;
  char* const arguments[] = {"sh", "-c", "exit 5", NULL};
  CHECK_EQ(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ), 0);
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 5);
  CHECK_EQ(posix_spawn(&child, "/nonexistent", NULL, NULL, arguments, environ), ENOENT);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/nonexistent/too", O_RDONLY, 0);
  CHECK_EQ(posix_spawn(&child, "/bin/sh", &actions, NULL, arguments, environ), ENOENT);
  posix_spawn_file_actions_destroy(&actions);
}

static char child_stack[65536] __attribute__((aligned(16)));
static int in_clone(void* argument) {
  *(int*)argument = getpid();
  return 8;
}
static void clone_as_vfork(void) {
  int child_id = 0;
  const pid_t child =
      clone(in_clone, child_stack + sizeof child_stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &child_id);
  CHECK(child > 0);
  CHECK_EQ(child_id, child);
  CHECK_EQ(WEXITSTATUS(wait_status(child)), 8);
}

static void clone_with_other_signal(void) {
  int unused;
  signal(SIGUSR2, SIG_IGN);
  const pid_t child = clone(in_clone, child_stack + sizeof child_stack, SIGUSR2, &unused);
  int status;
  CHECK_ERRNO(waitpid(child, &status, 0), ECHILD);
  CHECK_EQ(waitpid(child, &status, __WCLONE), child);
  CHECK_EQ(WEXITSTATUS(status), 8);
  signal(SIGUSR2, SIG_DFL);
}

static void clone_tids(void) {
  pid_t parent_tid = 0, child_tid = 0;
  const long child =
      syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent_tid, &child_tid, 0);
  if (child == 0) _exit(child_tid == getpid() ? 2 : 1);
  CHECK_EQ(parent_tid, child);
  CHECK_EQ(child_tid, 0);
  CHECK_EQ(WEXITSTATUS(wait_status((pid_t)child)), 2);
}

static void clone_pidfd(void) {
  int pidfd = -1;
  const long child = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0);
  if (child == 0) _exit(6);
  CHECK(pidfd > 2);
  CHECK(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
  siginfo_t info = {0};
  CHECK_EQ(waitid(P_PIDFD, pidfd, &info, WEXITED), 0);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_status, 6);
  close(pidfd);
}

static void clone_refuses(void) {
  CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, 0, 0, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

static void waits(void) {
  CHECK_ERRNO(wait4(-1, NULL, 0, NULL), ECHILD);
  const pid_t child = fork();
  if (child == 0) {
    usleep(20000);
    _exit(1);
  }
  CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
  siginfo_t info;
  memset(&info, 1, sizeof info);
  CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WNOHANG), 0);
  CHECK_EQ(info.si_pid, 0);
  CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
  CHECK_EQ(info.si_pid, child);
  struct rusage usage;
  int status;
  CHECK_EQ(wait4(child, &status, 0, &usage), child);
  CHECK_EQ(WEXITSTATUS(status), 1);
  CHECK(usage.ru_maxrss > 0);
}

static void groups(void) {
  const pid_t child = fork();
  if (child == 0) {
    CHECK_EQ(setpgid(0, 0), 0);
    CHECK_EQ(getpgrp(), getpid());
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK_EQ(getpgid(child), child);
  CHECK_EQ(kill(-child, SIGCONT), 0);
  CHECK_EQ(waitpid(-child, &status, 0), child);
  CHECK_EQ(status, 0);
}

static void session(void) {
  const pid_t child = fork();
  if (child == 0) {
    CHECK_EQ(setsid(), getpid());
    CHECK_EQ(getsid(0), getpid());
    CHECK_ERRNO(setsid(), EPERM);
    _exit(0);
  }
  CHECK_EQ(wait_status(child), 0);
}

static void orphan(void) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const pid_t parent = getpid();
    if (fork() == 0) {
      while (getppid() == parent) usleep(1000);
      CHECK_EQ(write(ends[1], "o", 1), 1);
      _exit(0);
    }
    _exit(0);
  }
  CHECK_EQ(wait_status(child), 0);
  char byte;
  CHECK_EQ(read(ends[0], &byte, 1), 1);
}

int main(void) {
  RUN(memory_is_a_copy);
  RUN(ids);
  RUN(descriptors_share_their_file);
  RUN(many_children);
  RUN(generations);
  RUN(killed_child);
  RUN(stops_and_continues);
  RUN(child_signal);
  RUN(ignored_children_are_reaped);
  RUN(pending_signals_stay_with_the_parent);
  RUN(timers_stay_with_the_parent);
  RUN(regions_not_for_children);
  RUN(vfork_shares_memory);
  RUN(vfork_until_exec);
  RUN(spawn);
  RUN(clone_as_vfork);
  RUN(clone_with_other_signal);
  RUN(clone_tids);
  RUN(clone_pidfd);
  RUN(clone_refuses);
  RUN(waits);
  RUN(groups);
  RUN(session);
  RUN(orphan);
  return 0;
}
