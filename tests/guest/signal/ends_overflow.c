// status: 139
// An endless recursion runs into the stack limit.
#include "check.h"

static __attribute__((noinline)) int recurse(int depth) {
  volatile char room[2000];
  if (depth < 0) return 0;
  room[depth % 2000] = 1;
  return recurse(depth + 1) + room[0];
}

static void ends_overflow(void) { recurse(1); }

int main(void) {
  RUN(ends_overflow);
  return 0;
}
