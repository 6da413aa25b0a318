// Calls that reach into a process by its id or a descriptor for it, here the process itself.
#include <sys/prctl.h>
#include <sys/uio.h>

#include "check.h"

#define PAGE 4096UL

/// Two pages, the second without access.
static char* edge(void) {
  char* at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(at, 'e', PAGE);
  CHECK_EQ(mprotect(at + PAGE, PAGE, PROT_NONE), 0);
  return at + PAGE;
}

static void reading(void) {
  char a[16] = "abcdefgh", b[16] = "12345678", x[5] = {0}, y[16] = {0};
  struct iovec remote[3] = {{a, 8}, {b, 0}, {b, 8}}, local[2] = {{x, 4}, {y, 16}};
  CHECK_EQ(process_vm_readv(getpid(), local, 2, remote, 3, 0), 16);
  CHECK_EQ(memcmp(x, "abcd", 4), 0);
  CHECK_EQ(memcmp(y, "efgh12345678", 12), 0);
  CHECK_EQ(process_vm_readv(getpid(), local, 0, remote, 3, 0), 0);
  CHECK_EQ(process_vm_readv(getpid(), local, 1, remote, 0, 0), 0);
}

static void writing(void) {
  char a[16] = "........", b[16] = "source!!";
  struct iovec local = {b, 6}, remote[2] = {{a + 1, 2}, {a + 5, 8}};
  CHECK_EQ(process_vm_writev(getpid(), &local, 1, remote, 2, 0), 6);
  CHECK_EQ(memcmp(a, ".so..urce", 9), 0);
}

static void partial(void) {
  char *end = edge(), buffer[64];
  struct iovec local = {buffer, 64}, remote = {end - 10, 64};
  CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), 10);
  remote.iov_base = end;
  CHECK_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
  struct iovec two[2] = {{buffer, 8}, {end, 8}};
  CHECK_EQ(process_vm_readv(getpid(), &local, 1, two, 2, 0), 8);
  remote.iov_base = buffer;
  local.iov_base = end - 4;
  CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), 4);
}

static void refused(void) {
  char byte;
  struct iovec one = {&byte, 1}, negative = {&byte, (size_t)-1};
  CHECK_ERRNO(process_vm_readv(getpid(), &one, 1, &one, 1, 1), EINVAL);
  CHECK_ERRNO(process_vm_readv(getpid(), &one, 2000, &one, 1, 0), EINVAL);
  CHECK_ERRNO(process_vm_readv(getpid(), &negative, 1, &one, 1, 0), EINVAL);
  CHECK_ERRNO(process_vm_readv(getpid(), (void*)8, 1, &one, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_readv(getpid(), &one, 1, (void*)8, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_readv(0x3fffff, &one, 1, &one, 1, 0), ESRCH);
  char* read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct iovec remote = {read_only, 1};
  CHECK_ERRNO(process_vm_writev(getpid(), &one, 1, &remote, 1, 0), EFAULT);
}

static void where_pages_are(void) {
  char* at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  at[0] = 1;
  void* pages[3] = {at, at + PAGE, (void*)0x600000000000};
  int status[3] = {99, 99, 99};
  if (syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0) != 0) {
    CHECK_EQ(errno, ENOSYS);
    return;
  }
  CHECK_EQ(status[0], 0);
  CHECK_EQ(status[1], -ENOENT);
  CHECK_EQ(status[2], -EFAULT);
  CHECK_ERRNO(syscall(SYS_move_pages, 0, 1, (void*)8, NULL, status, 0), EFAULT);
  CHECK_ERRNO(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 0x100), EINVAL);
}

static void by_descriptor(void) {
  const int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
  CHECK(pidfd >= 0);
  const int fd = (int)syscall(438 /* pidfd_getfd */, pidfd, 1, 0);
  CHECK(fd > 2);
  CHECK_EQ(write(fd, "said through a copy\n", 20), 20);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(syscall(438, pidfd, 999, 0), EBADF);
  CHECK_ERRNO(syscall(438, 999, 1, 0), EBADF);
  CHECK_ERRNO(syscall(438, pidfd, 1, 1), EINVAL);
  for (int wanted = 60000; wanted < 65600; ++wanted) CHECK_ERRNO(syscall(438, pidfd, wanted, 0), EBADF);
  char* at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  at[0] = 1;
  struct iovec range = {at, PAGE};
  CHECK_EQ(syscall(440 /* process_madvise */, pidfd, &range, 1, 20 /* MADV_COLD */, 0), PAGE);
  CHECK_EQ(at[0], 1);
  CHECK_ERRNO(syscall(440, 999, &range, 1, 20, 0), EBADF);
  CHECK_ERRNO(syscall(440, pidfd, &range, 1, 20, 1), EINVAL);
}

static void compared(void) {
  const int one = open("/dev/null", O_RDONLY), copy = dup(one), other = open("/dev/null", O_RDONLY);
  if (syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, one, copy) != 0) {
    CHECK_EQ(errno, ENOSYS);
    return;
  }
  CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, one, other) > 0);
  CHECK_EQ(syscall(SYS_kcmp, getpid(), getpid(), 1 /* KCMP_VM */, 0, 0), 0);
  CHECK_ERRNO(syscall(SYS_kcmp, getpid(), getpid(), 0, one, 999), EBADF);
  CHECK_ERRNO(syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0), EINVAL);
}

int main(void) {
  RUN(reading);
  RUN(writing);
  RUN(partial);
  RUN(refused);
  RUN(where_pages_are);
  RUN(by_descriptor);
  RUN(compared);
  return 0;
}
