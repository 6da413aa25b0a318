// mseal (Linux 6.10): sealed memory keeps its place, size and permissions; what it holds may still change.
#include "check.h"

#define PAGE 4096UL
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static void sealed_memory_stays(void) {
  char* at = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  if (syscall(SYS_mseal, at, 0, 0) != 0 && errno == ENOSYS) SKIP("an older kernel");
  CHECK_ERRNO(syscall(SYS_mseal, at + 1, PAGE, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_mseal, at, PAGE, 1), EINVAL);
  CHECK_ERRNO(syscall(SYS_mseal, at, ~0UL, 0), EINVAL);
  CHECK_EQ(munmap(at + 5 * PAGE, PAGE), 0);
  CHECK_ERRNO(syscall(SYS_mseal, at, 6 * PAGE, 0), ENOMEM);

  CHECK_EQ(syscall(SYS_mseal, at + PAGE, PAGE, 0), 0);
  CHECK_EQ(syscall(SYS_mseal, at + PAGE, PAGE, 0), 0);
  at[PAGE] = 7;
  CHECK_ERRNO(mprotect(at + PAGE, PAGE, PROT_READ), EPERM);
  CHECK_ERRNO(munmap(at, 5 * PAGE), EPERM);
  CHECK_ERRNO(mremap(at + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EPERM);
  CHECK_ERRNO(mmap(at, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
  CHECK_EQ(at[PAGE], 7);
  // A writable page could be zeroed by stores, so it may be discarded; one that is read-only may not.
  CHECK_EQ(madvise(at + PAGE, PAGE, MADV_DONTNEED), 0);
  CHECK_EQ(at[PAGE], 0);
  CHECK_EQ(mprotect(at + 2 * PAGE, PAGE, PROT_READ), 0);
  CHECK_EQ(syscall(SYS_mseal, at + 2 * PAGE, PAGE, 0), 0);
  CHECK_ERRNO(madvise(at + 2 * PAGE, PAGE, MADV_DONTNEED), EPERM);
  // An mprotect changes what lies before the sealed page.
  CHECK_ERRNO(mprotect(at, 2 * PAGE, PROT_READ), EPERM);
  CHECK_EQ(munmap(at + 3 * PAGE, 2 * PAGE), 0);
}

int main(void) {
  RUN(sealed_memory_stays);
  return 0;
}
