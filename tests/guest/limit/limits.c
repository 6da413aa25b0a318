// Resource limits of the process itself.
#include <sys/resource.h>

#include "check.h"

static void limits_are_read_and_set(void) {
  for (int resource = 0; resource < 16; resource++) {
    struct rlimit one, other;
    CHECK_EQ(getrlimit(resource, &one), 0);
    CHECK_EQ(prlimit(0, resource, NULL, &other), 0);
    CHECK_EQ(one.rlim_cur, other.rlim_cur);
    CHECK_EQ(one.rlim_max, other.rlim_max);
    CHECK_EQ(prlimit(getpid(), resource, &one, NULL), 0);
  }
  struct rlimit limit = {0, 0};
  CHECK_ERRNO(syscall(SYS_getrlimit, 99, &limit), EINVAL);
  CHECK_ERRNO(syscall(SYS_getrlimit, RLIMIT_CORE, 8), EFAULT);
  limit = (struct rlimit){.rlim_cur = 10, .rlim_max = 5};
  CHECK_ERRNO(setrlimit(RLIMIT_CORE, &limit), EINVAL);
  limit = (struct rlimit){.rlim_cur = 4096, .rlim_max = 8192};
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  CHECK_EQ(limit.rlim_cur, 4096);
  signal(SIGXFSZ, SIG_IGN);
  int fd = open("big", O_CREAT | O_RDWR, 0600);
  CHECK_EQ(lseek(fd, 4090, SEEK_SET), 4090);
  CHECK_EQ(write(fd, "0123456789", 10), 6);
  CHECK_ERRNO(write(fd, "x", 1), EFBIG);
  CHECK_EQ(unlink("big"), 0);
}

int main(void) {
  RUN(limits_are_read_and_set);
  return 0;
}
