// mlock and its kin, mincore, msync: results and refusals.
#include "check.h"

#define PAGE 4096UL

static void locks_of_memory(void) {
  char* at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_EQ(mlock(at + 5, PAGE), 0);
  CHECK_EQ(munlock(at, 4 * PAGE), 0);
  CHECK_ERRNO(syscall(SYS_mlock2, at, PAGE, 8), EINVAL);
  CHECK_EQ(syscall(SYS_mlock2, at, PAGE, 1), 0);
  CHECK_ERRNO(madvise(at, PAGE, MADV_DONTNEED), EINVAL);
  CHECK_EQ(munlock(at, PAGE), 0);
  CHECK_ERRNO(mlockall(0), EINVAL);
  CHECK_ERRNO(mlockall(64), EINVAL);
  CHECK_EQ(munlockall(), 0);
  CHECK_EQ(munmap(at + 2 * PAGE, PAGE), 0);
  CHECK_ERRNO(mlock(at, 4 * PAGE), ENOMEM);
  CHECK_ERRNO(munlock(at, 4 * PAGE), ENOMEM);

  unsigned char resident[8];
  at[0] = 1;
  CHECK_EQ(mincore(at, PAGE, resident), 0);
  CHECK_EQ(resident[0] & 1, 1);
  CHECK_ERRNO(mincore(at + 1, PAGE, resident), EINVAL);
  CHECK_ERRNO(mincore(at, 4 * PAGE, resident), ENOMEM);
  CHECK_ERRNO(mincore(at, PAGE, (unsigned char*)8), EFAULT);
  CHECK_ERRNO(mincore(at, ~0UL, resident), ENOMEM);

  CHECK_ERRNO(msync(at + 1, PAGE, MS_SYNC), EINVAL);
  CHECK_ERRNO(msync(at, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
  CHECK_ERRNO(msync(at, PAGE, 64), EINVAL);
  CHECK_ERRNO(msync(at, 4 * PAGE, MS_ASYNC), ENOMEM);
  CHECK_EQ(msync(at, 2 * PAGE, MS_SYNC), 0);
  CHECK_EQ(msync(at, 0, MS_SYNC), 0);
  CHECK_EQ(mlock(at, PAGE), 0);
  CHECK_ERRNO(msync(at, PAGE, MS_INVALIDATE), EBUSY);

  CHECK_ERRNO(syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, 5), EINVAL);
  CHECK_EQ(syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, -1), 0);
}

int main(void) {
  RUN(locks_of_memory);
  return 0;
}
