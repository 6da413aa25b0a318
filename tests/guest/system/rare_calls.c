// Calls that few programs make, most of which need privileges: they reach the kernel with their arguments, so
// they fail as it lets them fail, or do what can be looked at.
#include <sys/mount.h>
#include <sys/time.h>
#include <sys/timex.h>

#include "check.h"

/// Privileged calls look at the privilege first.
#define CHECK_REFUSED(call, wanted)                                   \
  do {                                                                \
    errno = 0;                                                        \
    CHECK_EQ((long)(call), -1);                                       \
    if (errno != EPERM && errno != ENOSYS) CHECK_EQ(errno, (wanted)); \
  } while (0)

static void file_modes(void) {
  char name[] = "rare.XXXXXX";
  const int fd = mkstemp(name);
  struct stat status;
  if (syscall(452 /* fchmodat2 */, AT_FDCWD, name, 0640, 0) == 0) {
    CHECK_EQ(stat(name, &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0640);
    CHECK_EQ(syscall(452, fd, "", 0600, AT_EMPTY_PATH), 0);
    CHECK_EQ(fstat(fd, &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0600);
    CHECK_ERRNO(syscall(452, AT_FDCWD, name, 0600, 0x10000000), EINVAL);
  } else {
    CHECK_EQ(errno, ENOSYS);
  }
  CHECK_EQ(unlink(name), 0);
  close(fd);
}

static void cached_pages(void) {
  char name[] = "rare.XXXXXX";
  const int fd = mkstemp(name);
  CHECK_EQ(unlink(name), 0);
  CHECK_EQ(write(fd, "some bytes", 10), 10);
  const uint64_t range[2] = {0, 0};
  uint64_t counts[5] = {99, 99, 99, 99, 99};
  if (syscall(451 /* cachestat */, fd, range, counts, 0) != 0) {
    CHECK_EQ(errno, ENOSYS);
    SKIP("no cachestat");
  }
  CHECK_EQ(counts[0], 1);
  CHECK_ERRNO(syscall(451, fd, range, counts, 1), EINVAL);
  CHECK_ERRNO(syscall(451, fd, 8, counts, 0), EFAULT);
  CHECK_ERRNO(syscall(451, 999, range, counts, 0), EBADF);
  close(fd);
}

static void names_of_the_machine(void) {
  char name[256];
  CHECK_EQ(gethostname(name, sizeof name), 0);
  CHECK_REFUSED(syscall(SYS_sethostname, 8, 5), EFAULT);
  CHECK_REFUSED(syscall(SYS_sethostname, name, 100000), EINVAL);
  CHECK_REFUSED(syscall(SYS_setdomainname, 8, 5), EFAULT);
}

static void setting_clocks(void) {
  const struct timeval wrong = {0, 2000000};
  const struct timespec wrong_too = {0, 2000000000};
  CHECK_REFUSED(settimeofday(&wrong, NULL), EINVAL);
  CHECK_REFUSED(syscall(SYS_settimeofday, 8, NULL), EFAULT);
  CHECK_REFUSED(clock_settime(CLOCK_REALTIME, &wrong_too), EINVAL);
  CHECK_REFUSED(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &wrong_too), EINVAL);
}

static void mounts(void) {
  CHECK_REFUSED(umount2("/no/such/place", 0), ENOENT);
  CHECK_REFUSED(umount2("/", 0x1000), EINVAL);
  const int tree = (int)syscall(428 /* open_tree */, AT_FDCWD, "/", 0);
  CHECK(tree >= 0 || errno == EPERM || errno == ENOSYS);
  CHECK_REFUSED(syscall(428, AT_FDCWD, "/no/such/place", 0), ENOENT);
  CHECK_REFUSED(syscall(429 /* move_mount */, AT_FDCWD, "/no/such/place", AT_FDCWD, "/", 0), ENOENT);
  CHECK_REFUSED(syscall(430 /* fsopen */, "nosuchfs", 0), ENODEV);
  CHECK_REFUSED(syscall(432 /* fsmount */, 999, 0, 0), EBADF);
  CHECK_REFUSED(syscall(433 /* fspick */, AT_FDCWD, "/no/such/place", 0), ENOENT);
  uint64_t attributes[4] = {0};
  CHECK_REFUSED(syscall(442 /* mount_setattr */, AT_FDCWD, "/no/such/place", 0, attributes, 8), EINVAL);
  if (tree >= 0) close(tree);
}

static void keys(void) {
  const long id = syscall(SYS_add_key, "user", "orrery:rare", "value", 5, -1 /* of the thread */);
  if (id < 0) {
    CHECK(errno == ENOSYS || errno == EPERM || errno == EACCES || errno == EDQUOT);
    SKIP("no keys");
  }
  CHECK_EQ(syscall(SYS_request_key, "user", "orrery:rare", NULL, 0), id);
  CHECK_ERRNO(syscall(SYS_add_key, "user", "orrery:rare", 8, 5, -1), EFAULT);
  CHECK_ERRNO(syscall(SYS_add_key, "nosuchtype", "x", "value", 5, -1), ENODEV);
  CHECK_EQ(syscall(SYS_keyctl, 9 /* KEYCTL_UNLINK */, id, -1), 0);
  CHECK_ERRNO(syscall(SYS_request_key, "user", "orrery:rare", NULL, 0), ENOKEY);
}

static void others(void) {
  char statistics[64];
  CHECK_ERRNO(syscall(SYS_ustat, 0xfffff, statistics), EINVAL);
  CHECK(syscall(SYS_syslog, 10, NULL, 0) >= 0 || errno == EPERM);  // the size of the log
  CHECK_REFUSED(syscall(SYS_syslog, 99, NULL, 0), EINVAL);
  CHECK_REFUSED(syscall(SYS_setgroups, 100000, NULL), EINVAL);
  CHECK_REFUSED(syscall(SYS_setgroups, 3, 8), EFAULT);
}

int main(void) {
  RUN(file_modes);
  RUN(cached_pages);
  RUN(names_of_the_machine);
  RUN(setting_clocks);
  RUN(mounts);
  RUN(keys);
  RUN(others);
  return 0;
}
