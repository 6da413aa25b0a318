// status: 137
// SIGKILL cannot be blocked, ignored or caught.
#include "check.h"

static void ends_kill(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  CHECK(signal(SIGKILL, SIG_IGN) == SIG_ERR);
  kill(getpid(), SIGKILL);
}

int main(void) {
  RUN(ends_kill);
  return 0;
}
