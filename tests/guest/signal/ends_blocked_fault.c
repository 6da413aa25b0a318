// status: 139
// A fault whose signal is blocked takes the default action, handler or not.
#include "check.h"

static volatile uintptr_t zero;

static void never(int number, siginfo_t* info, void* context) { _exit(1); }

static void ends_blocked_fault(void) {
  on_signal(SIGSEGV, never, 0);
  change_mask(SIG_BLOCK, SIGSEGV);
  *(volatile int*)zero = 1;
}

int main(void) {
  RUN(ends_blocked_fault);
  return 0;
}
