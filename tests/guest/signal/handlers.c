// Handlers, siginfo of kill, tgkill and sigqueue, SA_RESETHAND, SA_NODEFER, masks during the handler.
#include "check.h"

static volatile int calls, last_code, last_value, depth, deepest;
static volatile pid_t last_pid;

static void note(int number, siginfo_t* info, void* context) {
  ++calls;
  last_code = info->si_code;
  last_pid = info->si_pid;
  last_value = info->si_value.sival_int;
  CHECK_EQ(info->si_signo, number);
  CHECK(context != NULL);
}

static void nest(int number, siginfo_t* info, void* context) {
  ++depth;
  if (depth > deepest) deepest = depth;
  if (depth < 3) raise(number);
  --depth;
}

static void check_mask(int number, siginfo_t* info, void* context) {
  sigset_t now;
  ++calls;
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK_EQ(sigismember(&now, number), 1);
  CHECK_EQ(sigismember(&now, SIGUSR2), 1);
  CHECK_EQ(sigismember(&now, SIGHUP), 0);
}

static void handlers_run(void) {
  on_signal(SIGUSR1, note, 0);
  kill(getpid(), SIGUSR1);
  CHECK_EQ(calls, 1);
  CHECK_EQ(last_code, SI_USER);
  CHECK_EQ(last_pid, getpid());
  CHECK_EQ(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1), 0);
  CHECK_EQ(calls, 2);
  CHECK_EQ(last_code, SI_TKILL);
  CHECK_EQ(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 4711}), 0);
  CHECK_EQ(calls, 3);
  CHECK_EQ(last_code, SI_QUEUE);
  CHECK_EQ(last_value, 4711);
  CHECK_EQ(kill(getpid(), 0), 0);
  CHECK_ERRNO(kill(getpid(), 65), EINVAL);
  CHECK_ERRNO(syscall(SYS_tgkill, getpid(), getpid() + 1, SIGUSR1), ESRCH);
  CHECK_ERRNO(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);

  on_signal(SIGUSR1, note, SA_RESETHAND);
  raise(SIGUSR1);
  CHECK_EQ(calls, 4);
  struct sigaction old;
  CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK(old.sa_handler == SIG_DFL);
  CHECK((old.sa_flags & SA_RESETHAND) != 0);

  on_signal(SIGUSR1, nest, SA_NODEFER);
  raise(SIGUSR1);
  CHECK_EQ(deepest, 3);

  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = check_mask;
  action.sa_flags = SA_SIGINFO;
  sigaddset(&action.sa_mask, SIGUSR2);
  CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
  calls = 0;
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK_EQ(sigismember(&now, SIGUSR1), 0);
  CHECK_EQ(sigismember(&now, SIGUSR2), 0);

  CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
  CHECK_ERRNO(sigaction(65, &action, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, (void*)8, NULL, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
}

int main(void) {
  RUN(handlers_run);
  return 0;
}
