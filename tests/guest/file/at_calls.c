// The calls that libc rarely makes itself: older forms and the *at family, asked by number.
#include <linux/openat2.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <utime.h>

#include "check.h"

static int here;  // the directory of the test

static void by_directory(void) {
  struct stat status;
  char text[64];
  CHECK_EQ(syscall(SYS_mknodat, here, "one", S_IFREG | 0644, 0), 0);
  CHECK_EQ(syscall(SYS_linkat, here, "one", here, "two", 0), 0);
  CHECK_EQ(syscall(SYS_renameat, here, "two", here, "three"), 0);
  CHECK_EQ(syscall(SYS_symlinkat, "one", here, "link"), 0);
  CHECK_EQ(syscall(SYS_readlinkat, here, "link", text, sizeof text), 3);
  CHECK_EQ(syscall(SYS_newfstatat, here, "link", &status, AT_SYMLINK_NOFOLLOW), 0);
  CHECK(S_ISLNK(status.st_mode));
  CHECK_EQ(syscall(SYS_fchmodat, here, "one", 0600), 0);
  CHECK_EQ(syscall(SYS_fchownat, here, "one", getuid(), getgid(), 0), 0);
  struct timeval times[2] = {{100, 0}, {200, 0}};
  CHECK_EQ(syscall(SYS_futimesat, here, "one", times), 0);
  CHECK_EQ(syscall(SYS_newfstatat, here, "one", &status, 0), 0);
  CHECK_EQ(status.st_mtime, 200);
  CHECK_EQ(status.st_mode, S_IFREG | 0600);
  CHECK_EQ(syscall(SYS_faccessat2, here, "one", R_OK, AT_EACCESS), 0);
  CHECK_ERRNO(syscall(SYS_faccessat2, here, "one", 99, 0), EINVAL);
  struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
  int fd = (int)syscall(SYS_openat2, here, "one", &how, sizeof how);
  CHECK(fd >= 0);
  CHECK_ERRNO(syscall(SYS_openat2, here, "/etc/passwd", &how, sizeof how), EXDEV);
  CHECK_ERRNO(syscall(SYS_openat2, here, "one", &how, 3), EINVAL);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(syscall(SYS_unlinkat, here, "link", 0), 0);
  CHECK_EQ(syscall(SYS_unlinkat, here, "three", 0), 0);
}

static void by_name(void) {
  struct stat status;
  struct utimbuf when = {300, 400};
  struct timeval times[2] = {{500, 0}, {600, 0}};
  CHECK_EQ(syscall(SYS_chmod, "one", 0640), 0);
  CHECK_EQ(syscall(SYS_chown, "one", -1, -1), 0);
  CHECK_EQ(syscall(SYS_lchown, "one", getuid(), getgid()), 0);
  CHECK_EQ(syscall(SYS_utime, "one", &when), 0);
  CHECK_EQ(syscall(SYS_stat, "one", &status), 0);
  CHECK_EQ(status.st_mtime, 400);
  CHECK_EQ(syscall(SYS_utimes, "one", times), 0);
  CHECK_EQ(syscall(SYS_lstat, "one", &status), 0);
  CHECK_EQ(status.st_mtime, 600);
  CHECK_EQ(syscall(SYS_mknod, "fifo", S_IFIFO | 0600, 0), 0);
  CHECK_EQ(syscall(SYS_stat, "fifo", &status), 0);
  CHECK(S_ISFIFO(status.st_mode));
  CHECK_EQ(unlink("fifo"), 0);
}

static void by_descriptor(void) {
  int fd = open("one", O_RDWR);
  struct statfs system;
  char text[16];
  struct iovec part = {"abc", 3}, in = {text, sizeof text};
  CHECK_EQ(syscall(SYS_fchown, fd, getuid(), getgid()), 0);
  CHECK_EQ(syscall(SYS_fstatfs, fd, &system), 0);
  CHECK_EQ(syscall(SYS_pwrite64, fd, "xyz", 3, 3), 3);
  CHECK_EQ(syscall(SYS_pread64, fd, text, 3, 3), 3);
  CHECK_EQ(memcmp(text, "xyz", 3), 0);
  CHECK_EQ(syscall(SYS_pwritev2, fd, &part, 1, 0, 0, 0), 3);
  CHECK_EQ(syscall(SYS_preadv2, fd, &in, 1, 0, 0, 0), 6);
  CHECK_EQ(memcmp(text, "abcxyz", 6), 0);
  CHECK_EQ(syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
  CHECK_EQ(syscall(SYS_readahead, fd, 0, 100), 0);
  CHECK_EQ(syscall(SYS_sync_file_range, fd, 0, 0, 2), 0);
  CHECK_EQ(syscall(SYS_syncfs, fd), 0);
  CHECK_EQ(syscall(SYS_sync), 0);
  CHECK_EQ(close(fd), 0);
}

static void handles(void) {
  struct {
    unsigned bytes;
    int type;
    unsigned char data[128];
  } handle = {.bytes = 0};
  int mount = -1;
  long result = syscall(SYS_name_to_handle_at, AT_FDCWD, "one", &handle, &mount, 0);
  CHECK_EQ(result, -1);
  if (errno == EOPNOTSUPP) SKIP("a file system without handles");
  CHECK_EQ(errno, EOVERFLOW);
  CHECK(handle.bytes > 0 && handle.bytes <= sizeof handle.data);
  CHECK_EQ(syscall(SYS_name_to_handle_at, AT_FDCWD, "one", &handle, &mount, 0), 0);
  int fd = (int)syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY);
  CHECK(fd >= 0 || errno == EPERM || errno == ESTALE);
}

static void entries(void) {
  char buffer[1024];
  int directory = openat(here, ".", O_RDONLY | O_DIRECTORY);
  long bytes = syscall(SYS_getdents, directory, buffer, sizeof buffer);
  CHECK(bytes > 0);
  int found = 0;
  for (long at = 0; at < bytes; at += *(unsigned short*)(buffer + at + 16))
    found |= strcmp(buffer + at + 18, "one") == 0;
  CHECK(found);
  CHECK_EQ(close(directory), 0);
}

int main(void) {
  here = open(".", O_RDONLY | O_DIRECTORY);
  RUN(by_directory);
  RUN(by_name);
  RUN(by_descriptor);
  RUN(handles);
  RUN(entries);
  CHECK_EQ(unlink("one"), 0);
  return 0;
}
