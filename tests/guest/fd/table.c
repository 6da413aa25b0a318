// The descriptor table: lowest numbers, copies, flags, ranges, limits, and that nothing else lives in it.
#include <dirent.h>
#include <sys/resource.h>

#include "check.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static int open_count(void) {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  CHECK(directory != NULL);
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
  closedir(directory);
  return count - 1;  // without the directory's own
}

static void copies(void) {
  int fd = open("/dev/null", O_RDWR);
  CHECK(fd >= 0);
  int copy = dup(fd);
  CHECK(copy > fd);
  CHECK_EQ(dup2(fd, 50), 50);
  CHECK_EQ(dup2(fd, fd), fd);
  CHECK_ERRNO(dup2(77, 51), EBADF);
  CHECK_ERRNO(dup2(fd, -1), EBADF);
  CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
  CHECK_ERRNO(dup3(fd, 51, O_APPEND), EINVAL);
  CHECK_EQ(dup3(fd, 51, O_CLOEXEC), 51);
  CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(50, F_GETFD), 0);
  CHECK_EQ(fcntl(fd, F_DUPFD, 60), 60);
  CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 60), 61);
  CHECK_EQ(fcntl(61, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(61, F_SETFD, 0), 0);
  CHECK_EQ(fcntl(61, F_GETFD), 0);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
  CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  CHECK_EQ(fcntl(copy, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  CHECK_ERRNO(fcntl(fd, 12345, 0), EINVAL);
  CHECK_ERRNO(fcntl(99, F_GETFD), EBADF);
  CHECK_EQ(syscall(SYS_close_range, 50, 55, 4), 0);  // CLOSE_RANGE_CLOEXEC
  CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(syscall(SYS_close_range, 50, ~0U, 0), 0);
  for (int closed = 50; closed <= 61; closed++) CHECK_ERRNO(fcntl(closed, F_GETFD), EBADF);
  CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
  CHECK_EQ(close(copy), 0);
  CHECK_EQ(close(fd), 0);
  CHECK_ERRNO(close(fd), EBADF);
}

static void limits(void) {
  struct rlimit limit, low = {20, 0};
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  low.rlim_max = limit.rlim_max;
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  CHECK_ERRNO(dup2(0, 20), EBADF);
  CHECK_EQ(dup2(0, 19), 19);
  CHECK_ERRNO(fcntl(0, F_DUPFD, 20), EINVAL);
  CHECK_ERRNO(fcntl(0, F_DUPFD, 19), EMFILE);
  while (dup(0) >= 0) {
  }
  CHECK_EQ(errno, EMFILE);
  CHECK_ERRNO(open("/dev/null", O_RDONLY), EMFILE);
  int pair[2];
  CHECK_ERRNO(pipe(pair), EMFILE);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  CHECK_EQ(open("/dev/null", O_RDONLY), 20);
  for (int fd = 3; fd <= 20; fd++) close(fd);
}

static void nothing_is_left_open(void) { CHECK_EQ(open_count(), 3); }

/// Every number up to the highest: none is open.
static void no_other_number_is_open(void) {
  for (int fd = 3; fd < 70000; fd++) CHECK_EQ(fcntl(fd, F_GETFD), -1);
}

static void lowest_free_number_is_taken(void) { CHECK_EQ(open("/dev/null", O_RDONLY), 3); }

int main(void) {
  for (int fd = 3; fd < 1024; fd++) close(fd);
  CHECK_EQ(open_count(), 3);
  RUN(copies);
  RUN(limits);
  RUN(nothing_is_left_open);
  RUN(no_other_number_is_open);
  RUN(lowest_free_number_is_taken);
  return 0;
}
