// Large reservations as Go, sanitizers and JVMs make them, thousands of regions, and downward growing memory.
#include <sys/resource.h>

#include "check.h"

#define PAGE 4096UL
#define GIB (1UL << 30)

static void reservations(void) {
  // A terabyte without access, of which pieces come into use.
  char* huge = mmap(NULL, 1024 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(huge != MAP_FAILED);
  for (unsigned long i = 0; i < 64; ++i) {
    char* piece = huge + i * 16 * GIB;
    CHECK(mmap(piece, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          piece);
    piece[PAGE] = (char)i;
  }
  CHECK_EQ(mprotect(huge + 8 * GIB, GIB, PROT_READ | PROT_WRITE), 0);
  huge[9 * GIB - 1] = 1;
  for (unsigned long i = 0; i < 64; ++i) CHECK_EQ(huge[i * 16 * GIB + PAGE], (char)i);
  CHECK_EQ(munmap(huge, 1024 * GIB), 0);

  // One far larger than what lies together anywhere else, trimmed to an alignment.
  char* wide = mmap(NULL, 16 * 1024 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(wide != MAP_FAILED);
  char* aligned = (char*)(((unsigned long)wide + 64 * GIB - 1) & ~(64 * GIB - 1));
  if (aligned != wide) CHECK_EQ(munmap(wide, (size_t)(aligned - wide)), 0);
  CHECK_EQ(mprotect(aligned, PAGE, PROT_READ | PROT_WRITE), 0);
  aligned[0] = 1;
  CHECK_EQ(munmap(aligned, (size_t)(wide + 16 * 1024 * GIB - aligned)), 0);
}

static void many_regions(void) {
  const unsigned long count = 20000;
  char* at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  for (unsigned long i = 0; i < count; i += 2) CHECK_EQ(mprotect(at + i * PAGE, PAGE, PROT_READ), 0);
  for (unsigned long i = 1; i < count; i += 2) at[i * PAGE] = (char)i;
  CHECK_EQ(mprotect(at, count * PAGE, PROT_READ | PROT_WRITE), 0);
  for (unsigned long i = 0; i < count; ++i) CHECK_EQ(at[i * PAGE], i % 2 == 0 ? 0 : (char)i);
  for (unsigned long i = 0; i < count; i += 2) CHECK_EQ(munmap(at + i * PAGE, PAGE), 0);
  CHECK_EQ(munmap(at, count * PAGE), 0);
}

static void growing_down(void) {
  const size_t room = 64 * PAGE;
  char* base = mmap(NULL, 512 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* top = base + 512 * PAGE - PAGE;
  CHECK_EQ(munmap(base, 512 * PAGE), 0);
  CHECK(mmap(top, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1,
             0) == top);
  for (size_t i = 0; i < room; i += PAGE) top[-(long)i] = (char)i;
  unsigned char resident;
  CHECK_EQ(mincore(top - room + PAGE, PAGE, &resident), 0);
  CHECK_ERRNO(mincore(top - room - PAGE, PAGE, &resident), ENOMEM);
}

static int recurse(int depth) {
  volatile char frame[4000];
  frame[0] = (char)depth;
  return depth == 0 ? 0 : recurse(depth - 1) + (frame[0] == (char)depth);
}

static void deep_stack(void) { CHECK_EQ(recurse(1500), 1500); }

int main(void) {
  RUN(reservations);
  RUN(many_regions);
  RUN(growing_down);
  RUN(deep_stack);
  return 0;
}
