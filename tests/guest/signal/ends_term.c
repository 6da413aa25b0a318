// status: 143
// SIGTERM to itself; what was written before is not lost.
#include "check.h"

static void ends_term(void) {
  write(1, "before\n", 7);
  kill(getpid(), SIGTERM);
  write(1, "never\n", 6);
}

int main(void) {
  RUN(ends_term);
  return 0;
}
