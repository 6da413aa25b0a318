// status: 137
// SIGKILL cannot be blocked, ignored or caught.
#include "check.h"

int main(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  CHECK(signal(SIGKILL, SIG_IGN) == SIG_ERR);
  kill(getpid(), SIGKILL);
  return 0;
}
