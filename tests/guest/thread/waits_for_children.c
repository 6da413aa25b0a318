// Waiting for children while other threads live: waitid in each of its forms, and wait4.
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"

static void* sleeper(void* unused) {
  pause();
  return unused;
}

/// A child that ends with `status` after a while.
static pid_t child(int status) {
  const pid_t pid = fork();
  if (pid == 0) {
    usleep(20000);
    _exit(status);
  }
  CHECK(pid > 0);
  return pid;
}

static void looks_and_leaves_it(void) {
  const pid_t pid = child(3);
  siginfo_t info;
  memset(&info, 0, sizeof info);
  CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_status, 3);
  memset(&info, 0, sizeof info);
  CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED), 0);
  CHECK_EQ(info.si_pid, pid);
  CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

static void finds_none_yet(void) {
  const pid_t pid = child(0);
  siginfo_t info;
  memset(&info, 0xff, sizeof info);
  CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG), 0);
  CHECK_EQ(info.si_pid, 0);
  int status = 0;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
}

static void asks_not_which(void) {
  child(4);
  struct rusage usage;
  memset(&usage, 0xff, sizeof usage);
  CHECK_EQ(syscall(SYS_waitid, P_ALL, 0, NULL, WEXITED, &usage), 0);
  CHECK(usage.ru_utime.tv_usec >= 0);
  CHECK_ERRNO(wait(NULL), ECHILD);
}

static void waits_for_any(void) {
  const pid_t first = child(5), second = child(6);
  int status = 0, sum = 0;
  for (int i = 0; i < 2; i++) {
    const pid_t pid = wait4(-1, &status, 0, NULL);
    CHECK(pid == first || pid == second);
    sum += WEXITSTATUS(status);
  }
  CHECK_EQ(sum, 11);
}

int main(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
  RUN(looks_and_leaves_it);
  RUN(finds_none_yet);
  RUN(asks_not_which);
  RUN(waits_for_any);
  return 0;
}
