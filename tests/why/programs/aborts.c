// A program gives up with words.
// why: died of SIGABRT: it called abort()
// why: version 7 is newer than this program
// why: written by check_version() at aborts.c:{WRITES}
// why-O0: check_version(version=7)
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) void check_version(int version) {
  if (version > 3) {
    fprintf(stderr, "version %d is newer than this program\n", version);  // WRITES
    abort();                                                              // CRASH
  }
}

int main(void) {
  check_version(2);
  check_version(7);
  return 0;
}
