// abort() under a handler that returns, raise of each ignored and caught signal around it: SIGABRT's handler
// runs once, and siglongjmp leaves it.
#include <setjmp.h>

#include "check.h"

static sigjmp_buf back;
static volatile int calls;

static void leave(int number, siginfo_t* info, void* context) {
  ++calls;
  siglongjmp(back, number);
}

static void abort_twice(void) {
  on_signal(SIGABRT, leave, 0);
  const int number = sigsetjmp(back, 1);
  if (number == 0) abort();
  CHECK_EQ(number, SIGABRT);
  CHECK_EQ(calls, 1);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK_EQ(sigismember(&now, SIGABRT), 0);
}

int main(void) {
  RUN(abort_twice);
  return 0;
}
