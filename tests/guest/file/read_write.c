// static
// read, write and their positioned and vectored forms: counts, offsets, ends, and what a bad pointer gives.
#include <sys/uio.h>

#include "check.h"

static char* page_before_nothing(void) {
  char* two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(two != MAP_FAILED);
  CHECK_EQ(munmap(two + 4096, 4096), 0);
  return two;
}

static void partial_copies(int fd) {
  char* page = page_before_nothing();
  char* end = page + 4096;
  memset(page, 'p', 4096);
  CHECK_EQ(ftruncate(fd, 0), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  // Bytes at the end of the page are there, those behind are not. A file system may take the first part or
  // refuse all of it; never more than there is.
  ssize_t wrote = write(fd, end - 10, 20);
  CHECK(wrote == 10 || (wrote == -1 && errno == EFAULT));
  CHECK_EQ(pwrite(fd, "0123456789abcdefghij", 20, 0), 20);
  ssize_t got = pread(fd, end - 10, 20, 0);
  CHECK(got == 10 || (got == -1 && errno == EFAULT));
  if (got == 10) CHECK_EQ(memcmp(end - 10, "0123456789", 10), 0);
  CHECK_ERRNO(read(fd, end, 1), EFAULT);
  CHECK_ERRNO(write(fd, end, 1), EFAULT);
  CHECK_ERRNO(read(99, end, 1), EBADF);
  CHECK_ERRNO(read(fd, (void*)0xffff800000000000, 1), EFAULT);
}

static void vectors(int fd) {
  char a[4], b[8];
  struct iovec in[3] = {{"ab", 2}, {"", 0}, {"cdefgh", 6}};
  struct iovec out[2] = {{a, sizeof a}, {b, sizeof b}};
  CHECK_EQ(ftruncate(fd, 0), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(writev(fd, in, 3), 8);
  CHECK_EQ(preadv(fd, out, 2, 0), 8);
  CHECK_EQ(memcmp(a, "abcd", 4), 0);
  CHECK_EQ(memcmp(b, "efgh", 4), 0);
  CHECK_EQ(pwritev(fd, in, 1, 100), 2);
  CHECK_EQ(lseek(fd, 0, SEEK_END), 102);
  CHECK_ERRNO(syscall(SYS_readv, fd, out, -1), EINVAL);
  CHECK_ERRNO(syscall(SYS_readv, fd, out, 1025), EINVAL);
  CHECK_ERRNO(syscall(SYS_readv, fd, 16, 1), EFAULT);
  CHECK_EQ(readv(fd, out, 0), 0);
}

static void read_write(void) {
  char buffer[16];
  int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, "hello", 5), 5);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(read(fd, buffer, sizeof buffer), 5);
  CHECK_EQ(memcmp(buffer, "hello", 5), 0);
  CHECK_EQ(read(fd, buffer, sizeof buffer), 0);
  CHECK_EQ(pwrite(fd, "J", 1, 0), 1);
  CHECK_EQ(pread(fd, buffer, 3, 0), 3);
  CHECK_EQ(memcmp(buffer, "Jel", 3), 0);
  CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
  CHECK_ERRNO(lseek(fd, 0, 77), EINVAL);
  CHECK_ERRNO(read(-1, buffer, 1), EBADF);
  CHECK_EQ(fdatasync(fd), 0);
  CHECK_EQ(fsync(fd), 0);
  vectors(fd);
  partial_copies(fd);
  int reader = open("file", O_RDONLY);
  CHECK_ERRNO(write(reader, "x", 1), EBADF);
  CHECK_EQ(unlink("file"), 0);
}

int main(void) {
  RUN(read_write);
  return 0;
}
