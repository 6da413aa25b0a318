// The kernel's copy from and to a mapping whose file has become shorter: EFAULT, not a signal.
#include "check.h"

static void truncated_map(void) {
  int file = open("file", O_RDWR | O_CREAT, 0600), null = open("/dev/null", O_WRONLY), ends[2];
  CHECK_EQ(ftruncate(file, 8192), 0);
  char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(map != MAP_FAILED);
  memset(map, 'm', 8192);
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(ftruncate(file, 4096), 0);
  CHECK_ERRNO(write(ends[1], map + 4096, 10), EFAULT);
  CHECK_ERRNO(open(map + 4096, O_RDONLY), EFAULT);
  CHECK_EQ(write(ends[1], "abc", 3), 3);
  CHECK_ERRNO(read(ends[0], map + 4096, 3), EFAULT);
  CHECK_EQ(write(null, map, 4096), 4096);
  struct timespec* time = (struct timespec*)(map + 4096 - 8);
  CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, time), EFAULT);
  CHECK_ERRNO(syscall(SYS_nanosleep, time, NULL), EFAULT);
  CHECK_EQ(unlink("file"), 0);
}

int main(void) {
  RUN(truncated_map);
  return 0;
}
