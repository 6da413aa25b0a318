// Names: making, moving, linking, asking, and the errors of paths.
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "check.h"

static void links(void) {
  char target[64] = {0};
  CHECK_EQ(symlink("elsewhere", "link"), 0);
  CHECK_EQ(readlink("link", target, sizeof target), 9);
  CHECK_EQ(memcmp(target, "elsewhere", 9), 0);
  CHECK_EQ(readlink("link", target, 4), 4);
  CHECK_ERRNO(readlink("link", target, 0), EINVAL);
  CHECK_ERRNO(readlink(".", target, sizeof target), EINVAL);
  CHECK_ERRNO(open("link", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  struct stat status;
  CHECK_ERRNO(stat("link", &status), ENOENT);
  CHECK_EQ(lstat("link", &status), 0);
  CHECK(S_ISLNK(status.st_mode));
  CHECK_EQ(unlink("link"), 0);
}

static void files(void) {
  struct stat status;
  struct statx extended;
  int fd = creat("a", 0640);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, "12345", 5), 5);
  CHECK_EQ(fstat(fd, &status), 0);
  CHECK_EQ(status.st_size, 5);
  CHECK_EQ(fchmod(fd, 0600), 0);
  CHECK_EQ(stat("a", &status), 0);
  CHECK_EQ(status.st_mode, S_IFREG | 0600);
  CHECK_EQ(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &extended), 0);
  CHECK_EQ(extended.stx_size, 5);
  CHECK_EQ(fstatat(fd, "", &status, AT_EMPTY_PATH), 0);
  CHECK_EQ(link("a", "b"), 0);
  CHECK_EQ(stat("b", &status), 0);
  CHECK_EQ(status.st_nlink, 2);
  CHECK_EQ(rename("b", "c"), 0);
  CHECK_ERRNO(stat("b", &status), ENOENT);
  CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 1), EEXIST);
  CHECK_EQ(truncate("c", 2), 0);
  CHECK_EQ(fstat(fd, &status), 0);
  CHECK_EQ(status.st_size, 2);
  CHECK_EQ(fallocate(fd, 0, 0, 100), 0);
  CHECK_EQ(fstat(fd, &status), 0);
  CHECK_EQ(status.st_size, 100);
  struct timespec times[2] = {{1000, 0}, {2000, 5}};
  CHECK_EQ(utimensat(AT_FDCWD, "a", times, 0), 0);
  CHECK_EQ(stat("a", &status), 0);
  CHECK_EQ(status.st_mtim.tv_sec, 2000);
  CHECK_EQ(access("a", R_OK | W_OK), 0);
  CHECK_ERRNO(access("nothing", F_OK), ENOENT);
  CHECK_EQ(faccessat(AT_FDCWD, "a", F_OK, AT_EACCESS), 0);
  CHECK_EQ(unlink("a"), 0);
  CHECK_EQ(unlinkat(AT_FDCWD, "c", 0), 0);
  CHECK_EQ(close(fd), 0);
}

static void directories(void) {
  char cwd[4096], again[4096];
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  CHECK_EQ(mkdir("d", 0755), 0);
  CHECK_ERRNO(mkdir("d", 0755), EEXIST);
  int directory = open("d", O_RDONLY | O_DIRECTORY);
  CHECK(directory >= 0);
  CHECK_EQ(mkdirat(directory, "e", 0700), 0);
  int inside = openat(directory, "file", O_CREAT | O_WRONLY, 0600);
  CHECK(inside >= 0);
  CHECK_ERRNO(openat(inside, "x", O_RDONLY), ENOTDIR);
  CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
  CHECK_EQ(chdir("d/e"), 0);
  CHECK(getcwd(again, sizeof again) != NULL);
  CHECK_EQ(strlen(again), strlen(cwd) + 4);
  CHECK_EQ(fchdir(directory), 0);
  CHECK(getcwd(again, sizeof again) != NULL);
  CHECK_EQ(strlen(again), strlen(cwd) + 2);
  CHECK_EQ(chdir(".."), 0);
  CHECK_ERRNO(syscall(SYS_getcwd, again, 2), ERANGE);
  CHECK_EQ(unlinkat(directory, "file", 0), 0);
  CHECK_EQ(unlinkat(directory, "e", AT_REMOVEDIR), 0);
  CHECK_EQ(rmdir("d"), 0);
  CHECK_EQ(close(directory), 0);
}

static void bad_names(void) {
  char long_name[5000];
  memset(long_name, 'n', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = 0;
  CHECK_ERRNO(open(long_name, O_RDONLY), ENAMETOOLONG);
  CHECK_ERRNO(open("", O_RDONLY), ENOENT);
  CHECK_ERRNO(open((char*)8, O_RDONLY), EFAULT);
  CHECK_ERRNO(open("/nowhere/at/all", O_RDONLY), ENOENT);
  CHECK_ERRNO(stat("/etc/passwd", (void*)8), EFAULT);
}

static void file_system(void) {
  struct statfs system;
  CHECK_EQ(statfs("/", &system), 0);
  CHECK(system.f_bsize > 0);
}

static void creation_mask(void) {
  mode_t old = umask(077);
  CHECK_EQ(umask(old), 077);
}

int main(void) {
  RUN(bad_names);
  RUN(file_system);
  RUN(creation_mask);
  RUN(links);
  RUN(files);
  RUN(directories);
  return 0;
}
