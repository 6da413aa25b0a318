// A recursion without an end.
// why: its stack overflowed
// why: depth_of() calls itself without an end
// why: ulimit -s
#include <stdio.h>

int depth_of(int level) {  // CALLER
  volatile char scratch[256];
  scratch[0] = (char)level;  // CRASH
  return depth_of(level + 1) + scratch[0];
}

int main(void) {
  printf("%d\n", depth_of(0));
  return 0;
}
