// mmap's refusals in the kernel's order, lengths rounded up, hints, MAP_FIXED and MAP_FIXED_NOREPLACE.
#include "check.h"

#define PAGE 4096UL
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static void* anonymous(void* at, size_t bytes, int protection, int flags) {
  return mmap(at, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static void refusals(void) {
  CHECK_ERRNO(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERRNO(mmap(NULL, -PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  CHECK_ERRNO(mmap(NULL, ~0UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
  CHECK_ERRNO(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1), EINVAL);
  CHECK_ERRNO(mmap((void*)1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
  CHECK_ERRNO(mmap((void*)(1UL << 47), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
              ENOMEM);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0), EINVAL);
}

static void file_refusals(void) {
  char name[] = "mmap_rules.XXXXXX";
  int fd = mkstemp(name);
  CHECK(fd >= 0);
  CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
  int reads = open(name, O_RDONLY), writes = open(name, O_WRONLY), path = open(name, O_PATH);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reads, 0), EACCES);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, writes, 0), EACCES);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writes, 0), EACCES);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0), EBADF);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, reads, 0), EINVAL);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x80000, fd, 0), EOPNOTSUPP);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, 0, fd, 0), EINVAL);
  int directory = open(".", O_RDONLY);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0), ENODEV);
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0), ENODEV);

  char* shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reads, 0);
  CHECK(shared != MAP_FAILED);
  CHECK_ERRNO(mprotect(shared, PAGE, PROT_READ | PROT_WRITE), EACCES);
  char* private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, reads, 0);
  CHECK_EQ(mprotect(private, PAGE, PROT_READ | PROT_WRITE), 0);
  private[0] = 1;
  unlink(name);
}

static void placing(void) {
  char* area = anonymous(NULL, 8 * PAGE, PROT_NONE, 0);
  CHECK(area != MAP_FAILED);
  CHECK_EQ((long)area % PAGE, 0);
  CHECK_EQ(munmap(area, 8 * PAGE), 0);
  // A free hint is taken, rounded down.
  CHECK(anonymous(area + PAGE + 77, PAGE - 5, PROT_READ, 0) == area + PAGE);
  // One that is not free is not; nothing is replaced.
  char* other = anonymous(area + PAGE, PAGE, PROT_READ, 0);
  CHECK(other != MAP_FAILED && other != area + PAGE);
  CHECK_EQ(munmap(other, PAGE), 0);
  CHECK_ERRNO(mmap(area, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
              EEXIST);
  CHECK(anonymous(area, PAGE, PROT_READ, MAP_FIXED_NOREPLACE) == area);
  // MAP_FIXED replaces, and what is there is zero again.
  char* three = anonymous(area, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED);
  CHECK(three == area);
  memset(area, 5, 3 * PAGE);
  CHECK(anonymous(area + PAGE, 1, PROT_READ | PROT_WRITE, MAP_FIXED) == area + PAGE);
  CHECK_EQ(area[0], 5);
  CHECK_EQ(area[PAGE], 0);
  CHECK_EQ(area[2 * PAGE], 5);
  CHECK_EQ(munmap(area, 3 * PAGE), 0);
}

static void low_addresses(void) {
  for (int i = 0; i < 20; ++i) {
    char* low = anonymous(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_32BIT);
    CHECK(low != MAP_FAILED);
    CHECK((unsigned long)low < (1UL << 31));
    low[0] = 1;
  }
}

static void unmapping(void) {
  CHECK_ERRNO(munmap((void*)1, PAGE), EINVAL);
  CHECK_ERRNO(munmap((void*)PAGE, 0), EINVAL);
  CHECK_ERRNO(munmap((void*)PAGE, ~0UL), EINVAL);
  CHECK_EQ(munmap((void*)(5 * PAGE), PAGE), 0);
}

int main(void) {
  RUN(refusals);
  RUN(file_refusals);
  RUN(placing);
  RUN(low_addresses);
  RUN(unmapping);
  return 0;
}
