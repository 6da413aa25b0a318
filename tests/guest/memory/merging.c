// /proc/self/maps shows neighbours that are alike as one, and splits what is made different.
#include "check.h"

#define PAGE 4096UL

/// How many lines of the map lie in [start, end).
static int lines(char* start, char* end) {
  static char text[1 << 20];
  int fd = open("/proc/self/maps", O_RDONLY);
  CHECK(fd >= 0);
  size_t size = 0;
  for (ssize_t got; (got = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += (size_t)got;
  text[size] = 0;
  close(fd);
  int count = 0;
  for (char* at = text; *at != 0; at = strchr(at, '\n') + 1) {
    unsigned long from, to;
    CHECK_EQ(sscanf(at, "%lx-%lx", &from, &to), 2);
    if (from < (unsigned long)end && to > (unsigned long)start) ++count;
  }
  return count;
}

static void neighbours_merge(void) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char* area = mmap(NULL, 16 * PAGE, PROT_NONE, flags, -1, 0);
  CHECK_EQ(munmap(area, 16 * PAGE), 0);
  char *from = area + 2 * PAGE, *to = area + 14 * PAGE;
  CHECK(mmap(from, 4 * PAGE, PROT_READ, flags | MAP_FIXED, -1, 0) == from);
  CHECK(mmap(from + 4 * PAGE, 4 * PAGE, PROT_READ, flags | MAP_FIXED, -1, 0) != MAP_FAILED);
  CHECK_EQ(lines(from, to), 1);
  CHECK_EQ(mprotect(from + 2 * PAGE, PAGE, PROT_NONE), 0);
  CHECK_EQ(lines(from, to), 3);
  CHECK_EQ(mprotect(from + 2 * PAGE, PAGE, PROT_READ), 0);
  CHECK_EQ(lines(from, to), 1);
  CHECK_EQ(munmap(from + PAGE, PAGE), 0);
  CHECK_EQ(lines(from, to), 2);
  CHECK_EQ(madvise(from + 4 * PAGE, PAGE, MADV_DONTFORK), 0);
  CHECK_EQ(lines(from, to), 4);
  CHECK_EQ(madvise(from + 4 * PAGE, PAGE, MADV_DOFORK), 0);
  CHECK_EQ(lines(from, to), 2);

  int fd = memfd_create("file", 0);
  CHECK_EQ(ftruncate(fd, 8 * PAGE), 0);
  CHECK(mmap(from, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == from);
  CHECK(mmap(from + 2 * PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 2 * PAGE) != MAP_FAILED);
  CHECK_EQ(lines(from, from + 4 * PAGE), 1);
  CHECK(mmap(from + 2 * PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 4 * PAGE) != MAP_FAILED);
  CHECK_EQ(lines(from, from + 4 * PAGE), 2);
}

int main(void) {
  RUN(neighbours_merge);
  return 0;
}
