// brk: grows, shrinks, zero-filled again, refuses nonsense by returning what is.
#include "check.h"

static char* now(void) { return (char*)syscall(SYS_brk, 0); }

static void break_moves(void) {
  char* start = now();
  CHECK(start != NULL);
  char* wanted = start + 100000;
  CHECK((char*)syscall(SYS_brk, wanted) == wanted);
  CHECK(now() == wanted);
  for (char* p = start; p < wanted; p += 4096) CHECK_EQ(*p, 0);
  memset(start, 7, 100000);
  CHECK((char*)syscall(SYS_brk, start + 10) == start + 10);
  CHECK((char*)syscall(SYS_brk, wanted) == wanted);
  CHECK_EQ(start[5], 7);
  CHECK_EQ(start[50000], 0);
  CHECK((char*)syscall(SYS_brk, 4096) == wanted);
  CHECK((char*)syscall(SYS_brk, -4096L) == wanted);
  CHECK((char*)syscall(SYS_brk, start) == start);
}

int main(void) {
  RUN(break_moves);
  return 0;
}
