// EFAULT and partial copies: buffers that are not there, not permitted, or end half-way; a stack buffer
// below the mapped stack, which the kernel grows.
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "check.h"

#define PAGE 4096UL

/// Two pages, the second without access.
static char* edge(int protection) {
  char* at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(at, 'e', PAGE);
  CHECK_EQ(mprotect(at + PAGE, PAGE, protection), 0);
  return at + PAGE;
}

static void deep_buffer(int zero) {
  char buffer[700 * 1024];  // beyond what exec maps of a stack
  CHECK_EQ(read(zero, buffer, 4096), 4096);
  CHECK_EQ(buffer[4095], 0);
  CHECK_EQ(write(1, buffer, 0), 0);
}

static void bad_addresses(void) {
  char* end = edge(PROT_NONE);
  char* read_only = edge(PROT_READ);
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  int zero = open("/dev/zero", O_RDONLY);
  CHECK(zero >= 0);

  CHECK_ERRNO(read(zero, NULL, 1), EFAULT);
  CHECK_ERRNO(read(zero, end, 1), EFAULT);
  CHECK_ERRNO(read(zero, read_only, 1), EFAULT);
  CHECK_ERRNO(read(zero, (void*)-8L, 1), EFAULT);
  CHECK_ERRNO(read(zero, (void*)0x60000000, 1), EFAULT);
  CHECK_ERRNO(write(pipes[1], end, 1), EFAULT);
  CHECK_ERRNO(write(pipes[1], NULL, 1), EFAULT);
  CHECK_EQ(write(pipes[1], read_only, 1), 1);
  CHECK_EQ(read(pipes[0], read_only - 1, 1), 1);

  // What can be copied is, except by a pipe, which takes whole pages' worth or nothing.
  CHECK_ERRNO(write(pipes[1], end - 10, 20), EFAULT);
  char bytes[64];
  CHECK_EQ(read(zero, end - 10, 20), 10);
  CHECK_EQ(end[-1], 0);
  char name[] = "efault.XXXXXX";
  int fd = mkstemp(name);
  CHECK_EQ(unlink(name), 0);
  CHECK_EQ(write(fd, "0123456789abcdef", 16), 16);
  CHECK_EQ(pread(fd, end - 4, 16, 0), 4);
  CHECK_EQ(memcmp(end - 4, "0123", 4), 0);
  CHECK_EQ(pwrite(fd, end - 4, 16, 8), 4);
  CHECK_EQ(pread(fd, bytes, 16, 0), 16);
  CHECK_EQ(memcmp(bytes, "012345670123cdef", 16), 0);

  // Vectors: the array itself, and its parts.
  struct iovec vector[3] = {{bytes, 4}, {end - 2, 8}, {bytes, 4}};
  CHECK_EQ(preadv(fd, vector, 3, 0), 6);
  CHECK_ERRNO(readv(fd, (struct iovec*)end, 1), EFAULT);
  CHECK_ERRNO(readv(fd, (struct iovec*)(end - 8), 1), EFAULT);
  vector[0].iov_base = end;
  CHECK_ERRNO(preadv(fd, vector, 3, 0), EFAULT);

  // Structures and strings.
  CHECK_ERRNO(syscall(SYS_fstat, fd, end - 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_uname, end - 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, end - 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_getcwd, end - 1, 100), EFAULT);
  memset(end - 8, 'n', 8);
  CHECK_ERRNO(open(end - 3, O_RDONLY), EFAULT);
  end[-2] = '.', end[-1] = 0;
  int here = open(end - 2, O_RDONLY);
  CHECK(here >= 0);
  CHECK_ERRNO(open(end, O_RDONLY), EFAULT);
  CHECK_ERRNO(stat(NULL, (struct stat*)bytes), EFAULT);
  memset(end - PAGE, 'n', PAGE);
  CHECK_ERRNO(open(end - PAGE, O_RDONLY), ENAMETOOLONG);
  CHECK_ERRNO(open(end - 100, O_RDONLY), EFAULT);
  char* longer = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(longer, 'n', 2 * PAGE);
  CHECK_ERRNO(open(longer, O_RDONLY), ENAMETOOLONG);
  CHECK_ERRNO(poll((struct pollfd*)end, 1, 0), EFAULT);
  CHECK_ERRNO(pipe((int*)end), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, end, NULL, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, end, NULL, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_nanosleep, end, NULL), EFAULT);
  CHECK_ERRNO(syscall(SYS_getdents64, here, end, 4096), EFAULT);

  deep_buffer(zero);
}

int main(void) {
  RUN(bad_addresses);
  return 0;
}
