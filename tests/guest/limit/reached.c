// What happens when a limit is reached.
#include <sys/resource.h>

#include "check.h"

static volatile sig_atomic_t signals;
static void on_limit(int number, siginfo_t* info, void* context) { ++signals; }

static void lower(int resource, rlim_t value) {
  struct rlimit limit;
  CHECK_EQ(getrlimit(resource, &limit), 0);
  limit.rlim_cur = value;
  CHECK_EQ(setrlimit(resource, &limit), 0);
}

static void size_of_a_file(void) {
  char name[] = "limit.XXXXXX", bytes[3000] = "";
  const int fd = mkstemp(name);
  CHECK_EQ(unlink(name), 0);
  struct rlimit before;
  CHECK_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  on_signal(SIGXFSZ, on_limit, 0);
  lower(RLIMIT_FSIZE, 5000);
  CHECK_EQ(write(fd, bytes, sizeof bytes), 3000);
  CHECK_EQ(write(fd, bytes, sizeof bytes), 2000);  // up to the limit
  CHECK_EQ(signals, 0);
  CHECK_ERRNO(write(fd, bytes, 1), EFBIG);
  CHECK_EQ(signals, 1);
  CHECK_ERRNO(ftruncate(fd, 6000), EFBIG);
  CHECK_EQ(signals, 2);
  CHECK_EQ(ftruncate(fd, 5000), 0);
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  CHECK_EQ(pwrite(fd, bytes, 1, 6000), 1);
  close(fd);
}

static void number_of_descriptors(void) {
  int first = dup(0), ends[2];
  lower(RLIMIT_NOFILE, (rlim_t)first + 2);
  CHECK_EQ(dup(0), first + 1);
  CHECK_ERRNO(dup(0), EMFILE);
  CHECK_ERRNO(open("/dev/null", O_RDONLY), EMFILE);
  CHECK_ERRNO(pipe(ends), EMFILE);
  CHECK_ERRNO(dup2(0, first + 2), EBADF);
  CHECK_ERRNO(fcntl(0, F_DUPFD, first + 2), EINVAL);
  close(first + 1);
  CHECK_ERRNO(pipe(ends), EMFILE);  // one number is not enough for two
  CHECK_EQ(dup(0), first + 1);
  lower(RLIMIT_NOFILE, 256);
  CHECK_EQ(dup(0), first + 2);
}

static void heap_and_maps(void) {
  struct rlimit before;
  CHECK_EQ(getrlimit(RLIMIT_DATA, &before), 0);
  lower(RLIMIT_DATA, 64 << 20);
  char* const brk = (char*)syscall(SYS_brk, 0);
  CHECK_EQ(syscall(SYS_brk, brk + (65 << 20)), (long)brk);
  CHECK_ERRNO(mmap(NULL, 65 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  void* shared = mmap(NULL, 65 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);  // is no data
  CHECK_EQ(munmap(shared, 65 << 20), 0);
  CHECK_EQ(setrlimit(RLIMIT_DATA, &before), 0);
  CHECK_EQ(getrlimit(RLIMIT_AS, &before), 0);
  lower(RLIMIT_AS, 256 << 20);
  CHECK_ERRNO(mmap(NULL, 257 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  void* fits = mmap(NULL, 32 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(fits != MAP_FAILED);
  CHECK_ERRNO(mremap(fits, 32 << 20, 257 << 20, MREMAP_MAYMOVE), ENOMEM);
  CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);
}

static void hard_limits(void) {
  struct rlimit limit = {10, 20}, got;
  CHECK_EQ(setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){0, 4096}), 0);
  limit = (struct rlimit){8192, 4096};
  CHECK_ERRNO(setrlimit(RLIMIT_MSGQUEUE, &limit), EINVAL);  // soft above hard
  CHECK_ERRNO(setrlimit(99, &limit), EINVAL);
  CHECK_ERRNO(syscall(SYS_getrlimit, RLIMIT_MSGQUEUE, 8), EFAULT);
  const uid_t before = geteuid();
  if (before == 0) CHECK_EQ(seteuid(65534), 0);
  limit = (struct rlimit){0, 8192};
  CHECK_ERRNO(setrlimit(RLIMIT_MSGQUEUE, &limit), EPERM);
  if (before == 0) CHECK_EQ(seteuid(0), 0);
  CHECK_EQ(prlimit(getpid(), RLIMIT_MSGQUEUE, NULL, &got), 0);
  CHECK_EQ(got.rlim_max, 4096);
  CHECK_EQ(prlimit(0, RLIMIT_MSGQUEUE, &(struct rlimit){1, 2}, &got), 0);
  CHECK_EQ(got.rlim_cur, 0);
}

static void priorities(void) {
  errno = 0;
  const int before = getpriority(PRIO_PROCESS, 0);
  CHECK_EQ(errno, 0);
  if (before > 15) SKIP("no room below");
  CHECK_EQ(setpriority(PRIO_PROCESS, 0, before + 1), 0);
  CHECK_EQ(getpriority(PRIO_PROCESS, getpid()), before + 1);
  CHECK_EQ(nice(2), before + 3);
  CHECK_ERRNO(setpriority(99, 0, 1), EINVAL);
  CHECK_ERRNO(getpriority(PRIO_PROCESS, 4194303), ESRCH);
}

int main(void) {
  RUN(size_of_a_file);
  RUN(heap_and_maps);
  RUN(hard_limits);
  RUN(priorities);
  RUN(number_of_descriptors);
  return 0;
}
