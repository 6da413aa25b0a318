// A share of nothing.
// why: died of SIGFPE: it divided an integer by zero
// why: percent(part=3, whole=0)
#include <stdio.h>

__attribute__((noinline)) int percent(int part, int whole) {
  return part * 100 / whole;  // CRASH
}

int main(int argc, char** argv) {
  (void)argv;
  printf("%d\n", percent(3, 4));
  printf("%d\n", percent(3, argc - 1));
  return 0;
}
