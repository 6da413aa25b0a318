// A name that does not fit overwrites the frame; the compiler's canary sees it.
// why: a local variable was overrun
// why: stack smashing detected
#include <stdio.h>

__attribute__((noinline)) void greet(const char* name) {
  char copy[8];
  char* to = copy;
  while ((*to++ = *name++) != 0) {
  }
  printf("hello %s\n", copy);
}  // CRASH

int main(int argc, char** argv) {
  greet(argc > 1 ? argv[1] : "a name that is far too long for this");
  return 0;
}
