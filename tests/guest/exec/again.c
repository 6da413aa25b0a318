// Replaces itself by execve: arguments, environment, pid, and what is inherited: ignored signals, mask,
// pending signals, descriptors without FD_CLOEXEC, umask, working directory. Caught signals go back to
// default.
#include <sys/time.h>

#include "check.h"

static void handler(int number, siginfo_t* info, void* context) {}

static int second(int argc, char** argv) {
  begin_case("arguments_environment_and_pid");
  CHECK_EQ(argc, 5);
  CHECK_EQ(atoi(argv[2]), getpid());
  CHECK_EQ(strcmp(argv[4], "last one"), 0);
  CHECK(argv[5] == NULL);
  CHECK(getenv("COLOUR") != NULL && strcmp(getenv("COLOUR"), "blue") == 0);
  CHECK(getenv("PATH") == NULL);
  begin_case("caught_signals_return_to_default");
  struct sigaction action;
  CHECK_EQ(sigaction(SIGUSR1, NULL, &action), 0);
  CHECK(action.sa_handler == SIG_DFL);
  begin_case("ignored_signals_stay_ignored");
  CHECK_EQ(sigaction(SIGUSR2, NULL, &action), 0);
  CHECK(action.sa_handler == SIG_IGN);
  begin_case("mask_and_pending_signals_stay");
  sigset_t set;
  sigprocmask(SIG_BLOCK, NULL, &set);
  CHECK_EQ(sigismember(&set, SIGHUP), 1);
  sigpending(&set);
  CHECK_EQ(sigismember(&set, SIGHUP), 1);
  begin_case("alternate_stack_is_gone");
  stack_t stack;
  CHECK_EQ(sigaltstack(NULL, &stack), 0);
  CHECK_EQ(stack.ss_flags, SS_DISABLE);

  begin_case("descriptors_close_on_exec_or_stay");
  const int kept = atoi(argv[3]);
  char text[4] = "";
  CHECK_EQ(read(kept, text, 3), 3);
  CHECK_EQ(strcmp(text, "abc"), 0);
  CHECK_ERRNO(fcntl(kept + 100, F_GETFD), EBADF);
  begin_case("umask_and_directory_stay");
  CHECK_EQ(umask(022), 0134);
  char cwd[256];
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  CHECK_EQ(strcmp(cwd, "/"), 0);
  begin_case("interval_timer_goes_on");
  struct itimerval timer;
  CHECK_EQ(getitimer(ITIMER_REAL, &timer), 0);
  CHECK(timer.it_value.tv_sec > 0);
  return 0;
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "second") == 0) return second(argc, argv);

  on_signal(SIGUSR1, handler, 0);
  signal(SIGUSR2, SIG_IGN);
  change_mask(SIG_BLOCK, SIGHUP);
  raise(SIGHUP);
  static char room[65536];
  stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
  CHECK_EQ(sigaltstack(&stack, NULL), 0);
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(write(fds[1], "abc", 3), 3);
  CHECK_EQ(dup3(fds[0], fds[0] + 100, O_CLOEXEC), fds[0] + 100);
  umask(0134);
  struct itimerval timer = {.it_value = {.tv_sec = 1000}};
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);

  char path[4096], pid[16], fd[16];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  CHECK(length > 0);
  path[length] = '\0';
  CHECK_EQ(chdir("/"), 0);
  snprintf(pid, sizeof pid, "%d", getpid());
  snprintf(fd, sizeof fd, "%d", fds[0]);
  char* arguments[] = {argv[0], "second", pid, fd, "last one", NULL};
  char* environment[] = {"COLOUR=blue", NULL};
  execve(path, arguments, environment);
  CHECK(0);
}
