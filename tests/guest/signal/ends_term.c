// status: 143
// SIGTERM to itself; what was written before is not lost.
#include "check.h"

int main(void) {
  write(1, "before\n", 7);
  kill(getpid(), SIGTERM);
  write(1, "never\n", 6);
  return 0;
}
