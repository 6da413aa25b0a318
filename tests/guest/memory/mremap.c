// mremap: shrinking, growing in place and by a move, MREMAP_FIXED, duplicates of shared memory,
// MREMAP_DONTUNMAP, and the refusals.
#include "check.h"

#define PAGE 4096UL
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char* area(size_t pages, int flags) {
  char* at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
  CHECK(at != MAP_FAILED);
  return at;
}
static void fill(char* at, size_t pages) {
  for (size_t i = 0; i < pages; ++i) at[i * PAGE] = (char)(i + 1);
}
static void holds(const char* at, size_t pages) {
  for (size_t i = 0; i < pages; ++i) CHECK_EQ(at[i * PAGE], (char)(i + 1));
}
static int is_mapped(char* at) {
  unsigned char resident;
  return mincore(at, PAGE, &resident) == 0;
}

static void refusals(void) {
  char* at = area(4, MAP_PRIVATE);
  CHECK_ERRNO(mremap(at + 1, PAGE, PAGE, 0), EINVAL);
  CHECK_ERRNO(mremap(at, PAGE, 0, 0), EINVAL);
  CHECK_ERRNO(mremap(at, PAGE, PAGE, 0x40), EINVAL);
  CHECK_ERRNO(mremap(at, PAGE, PAGE, MREMAP_FIXED, at + 8 * PAGE), EINVAL);
  CHECK_ERRNO(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, at + PAGE), EINVAL);
  CHECK_ERRNO(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, at + 64 * PAGE + 1), EINVAL);
  CHECK_ERRNO(mremap(at, PAGE, 2 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, NULL), EINVAL);
  CHECK_ERRNO(mremap(at, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
  CHECK_EQ(munmap(at + 2 * PAGE, PAGE), 0);
  CHECK_ERRNO(mremap(at + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
  CHECK_ERRNO(mremap(at, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), EFAULT);
  CHECK_ERRNO(mremap(at, PAGE, 3 * PAGE, 0), ENOMEM);
  CHECK_EQ(munmap(at, 4 * PAGE), 0);
}

static void sizes(void) {
  char* at = area(9, MAP_PRIVATE);
  CHECK_EQ(munmap(at + 8 * PAGE, PAGE), 0);
  fill(at, 8);
  CHECK(mremap(at, 8 * PAGE, 5 * PAGE - 7, 0) == at);
  holds(at, 5);
  CHECK(!is_mapped(at + 5 * PAGE));
  CHECK(mremap(at, 5 * PAGE, 8 * PAGE, 0) == at);
  holds(at, 5);
  CHECK_EQ(at[5 * PAGE], 0);
  CHECK_EQ(at[7 * PAGE], 0);
  // Not in place: something is in the way.
  char* wall = mmap(at + 8 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK_ERRNO(mremap(at, 8 * PAGE, 9 * PAGE, 0), ENOMEM);
  char* moved = mremap(at, 8 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED && moved != at);
  holds(moved, 5);
  moved[99 * PAGE] = 1;
  CHECK(!is_mapped(at));
  CHECK_EQ(munmap(moved, 100 * PAGE), 0);
  CHECK_EQ(munmap(wall, PAGE), 0);
}

static void fixed(void) {
  char* from = area(4, MAP_PRIVATE);
  char* to = area(8, MAP_PRIVATE);
  fill(from, 4);
  memset(to, 99, 8 * PAGE);
  CHECK(mremap(from, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE);
  CHECK_EQ(to[0], 99);
  holds(to + PAGE, 4);
  CHECK_EQ(to[5 * PAGE], 0);
  CHECK_EQ(to[7 * PAGE], 99);
  CHECK(!is_mapped(from));
}

static void shared(void) {
  char* at = area(4, MAP_SHARED);
  fill(at, 4);
  char* twin = mremap(at, 0, 4 * PAGE, MREMAP_MAYMOVE);
  CHECK(twin != MAP_FAILED && twin != at);
  holds(twin, 4);
  twin[PAGE] = 77;
  CHECK_EQ(at[PAGE], 77);
  char* part = mremap(at + 2 * PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE);
  CHECK_EQ(part[0], 3);
  part[PAGE] = 55;
  CHECK_EQ(twin[3 * PAGE], 55);
  CHECK_EQ(munmap(at, 4 * PAGE), 0);
  CHECK_EQ(twin[PAGE], 77);
}

static void left_behind(void) {
  char* at = area(3, MAP_PRIVATE);
  fill(at, 3);
  char* moved = mremap(at, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  CHECK(moved != MAP_FAILED && moved != at);
  holds(moved, 3);
  for (int i = 0; i < 3; ++i) CHECK_EQ(at[i * PAGE], 0);
  at[0] = 9;
  CHECK_EQ(moved[0], 1);
}

static void file(void) {
  int fd = memfd_create("file", 0);
  CHECK_EQ(ftruncate(fd, 8 * PAGE), 0);
  for (int i = 0; i < 8; ++i) {
    char byte = (char)(i + 1);
    CHECK_EQ(pwrite(fd, &byte, 1, i * PAGE), 1);
  }
  char* at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK_EQ(close(fd), 0);
  at[PAGE + 1] = 42;
  char* grown = mremap(at, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
  CHECK(grown != MAP_FAILED);
  holds(grown, 8);
  CHECK_EQ(grown[PAGE + 1], 42);
}

int main(void) {
  RUN(refusals);
  RUN(sizes);
  RUN(fixed);
  RUN(shared);
  RUN(left_behind);
  RUN(file);
  return 0;
}
