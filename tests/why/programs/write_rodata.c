// A string literal is written to.
// why: it wrote to read-only memory
// why: constant data of write_rodata
// why: capitalise(text="hello")
#include <stdio.h>

__attribute__((noinline)) void capitalise(char* text) {
  text[0] = (char)(text[0] - 32);  // CRASH
}

int main(void) {
  char* greeting = "hello";
  capitalise(greeting);
  puts(greeting);
  return 0;
}
