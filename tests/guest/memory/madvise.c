// madvise: what DONTNEED and REMOVE leave behind, holes, and refusals.
#include "check.h"

#define PAGE 4096UL
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static void advice(void) {
  char* at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(at, 7, 4 * PAGE);
  CHECK_ERRNO(madvise(at + 1, PAGE, MADV_DONTNEED), EINVAL);
  CHECK_ERRNO(madvise(at, PAGE, 12345), EINVAL);
  CHECK_ERRNO(madvise(at, ~0UL, MADV_DONTNEED), EINVAL);
  CHECK_EQ(madvise(at, 0, MADV_DONTNEED), 0);
  CHECK_EQ(madvise(at + PAGE, PAGE + 1, MADV_DONTNEED), 0);
  CHECK_EQ(at[0], 7);
  CHECK_EQ(at[PAGE], 0);
  CHECK_EQ(at[2 * PAGE], 0);
  CHECK_EQ(at[3 * PAGE], 7);
  // A hole: everything else is still done.
  memset(at, 7, 4 * PAGE);
  CHECK_EQ(munmap(at + PAGE, PAGE), 0);
  CHECK_ERRNO(madvise(at, 4 * PAGE, MADV_DONTNEED), ENOMEM);
  CHECK_EQ(at[0], 0);
  CHECK_EQ(at[3 * PAGE], 0);

  int fd = memfd_create("file", 0);
  CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
  CHECK_EQ(pwrite(fd, "file", 4, 0), 4);
  char* private = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  memcpy(private, "mine", 4);
  CHECK_EQ(madvise(private, PAGE, MADV_DONTNEED), 0);
  CHECK_EQ(memcmp(private, "file", 4), 0);
  CHECK_ERRNO(madvise(private, PAGE, MADV_FREE), EINVAL);
  CHECK_ERRNO(madvise(private, PAGE, MADV_WIPEONFORK), EINVAL);
  CHECK_ERRNO(madvise(private, PAGE, MADV_REMOVE), EACCES);

  char* shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  memset(shared, 3, 2 * PAGE);
  CHECK_EQ(madvise(shared, PAGE, MADV_DONTNEED), 0);
  CHECK_EQ(shared[0], 3);
  CHECK_EQ(madvise(shared, PAGE, MADV_REMOVE), 0);
  CHECK_EQ(shared[0], 0);
  CHECK_EQ(shared[PAGE], 3);
  char byte = 9;
  CHECK_EQ(pread(fd, &byte, 1, 5), 1);
  CHECK_EQ(byte, 0);
  CHECK_ERRNO(madvise(at, PAGE, MADV_REMOVE), EINVAL);

  const int harmless[] = {MADV_NORMAL, MADV_RANDOM,   MADV_SEQUENTIAL, MADV_WILLNEED,   MADV_DONTFORK,
                          MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP,     MADV_WIPEONFORK, MADV_KEEPONFORK};
  memset(at + 2 * PAGE, 8, 2 * PAGE);
  for (unsigned i = 0; i < sizeof harmless / sizeof *harmless; ++i)
    CHECK_EQ(madvise(at + 2 * PAGE, PAGE, harmless[i]), 0);
  CHECK_EQ(at[2 * PAGE], 8);
  CHECK_EQ(madvise(at + 2 * PAGE, PAGE, MADV_POPULATE_WRITE), 0);
  CHECK_EQ(mprotect(at + 2 * PAGE, PAGE, PROT_READ), 0);
  CHECK_ERRNO(madvise(at + 2 * PAGE, PAGE, MADV_POPULATE_WRITE), EINVAL);
  CHECK_ERRNO(madvise(at, 4 * PAGE, MADV_POPULATE_READ), ENOMEM);
  CHECK_EQ(madvise(at + 2 * PAGE, 2 * PAGE, MADV_FREE), 0);
  at[3 * PAGE] = 4;
  CHECK_EQ(at[3 * PAGE], 4);
}

int main(void) {
  RUN(advice);
  return 0;
}
