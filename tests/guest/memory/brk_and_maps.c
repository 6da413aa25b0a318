// brk beside a mapping: it stops before it, and goes on when the mapping is gone. RLIMIT_DATA and RLIMIT_AS
// bind.
#include <sys/resource.h>

#include "check.h"

#define PAGE 4096UL

static char* brk_now(void) { return (char*)syscall(SYS_brk, 0); }
static char* brk_to(char* wanted) { return (char*)syscall(SYS_brk, wanted); }

static void brk_and_maps(void) {
  char* start = (char*)(((unsigned long)brk_now() + PAGE - 1) & ~(PAGE - 1));
  CHECK(brk_to(start) == start);
  char* wall = start + 16 * PAGE;
  CHECK(mmap(wall, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == wall);
  CHECK(brk_to(wall + PAGE) == start);
  CHECK(brk_to(wall) == start);
  CHECK(brk_to(wall - PAGE) == wall - PAGE);
  wall[-PAGE - 1] = 1;
  CHECK_EQ(munmap(wall, PAGE), 0);
  CHECK(brk_to(wall + 100) == wall + 100);
  CHECK_EQ(wall[-PAGE - 1], 1);
  CHECK_EQ(wall[99], 0);
  CHECK(brk_to(start) == start);

  struct rlimit limit = {1 << 20, RLIM_INFINITY};
  CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
  CHECK(brk_to(start + (64 << 20)) == start);
  CHECK_ERRNO(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  CHECK(mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  limit.rlim_cur = RLIM_INFINITY;
  CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
  limit.rlim_cur = 256 << 20;
  CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  CHECK_ERRNO(mmap(NULL, 512 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  CHECK(mmap(NULL, 16 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

int main(void) {
  RUN(brk_and_maps);
  return 0;
}
