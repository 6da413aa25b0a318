// Waiting without children, ids, and exit from atexit handlers.
#include <sys/wait.h>

#include "check.h"

static int ran;
static void leaving(void) {
  if (!ran) _exit(3);
}

static void children_there_are_none(void) {
  CHECK_ERRNO(wait(NULL), ECHILD);
  CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
  CHECK_ERRNO(waitpid(getpid(), NULL, 0), ECHILD);
  CHECK_ERRNO(waitpid(-1, NULL, 0x100), EINVAL);
  siginfo_t info;
  CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
  CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
  CHECK_ERRNO(waitid(P_PID, 0, &info, WEXITED), EINVAL);
  CHECK_ERRNO(waitid((idtype_t)77, 0, &info, WEXITED), EINVAL);
  CHECK(getpid() > 0);
  CHECK_EQ(syscall(SYS_gettid), getpid());
  CHECK(getppid() >= 0);
  CHECK_EQ(atexit(leaving), 0);
  ran = 1;
  exit(0);
}

int main(void) {
  RUN(children_there_are_none);
  return 0;
}
