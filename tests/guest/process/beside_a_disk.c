// While a process waits for its disk, another one with which it shares memory runs on.
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

#define FILE_BYTES (96 << 20)
#define LONG_NS 50000000L

static long now_ns(void) {
  struct timespec now;
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int unwritten_file(void) {
  static char block[1 << 20];
  char name[] = "beside-a-disk-XXXXXX";
  const int fd = mkstemp(name);
  CHECK(fd >= 0);
  unlink(name);
  for (int i = 0; i < FILE_BYTES / (int)sizeof block; ++i)
    CHECK_EQ(write(fd, block, sizeof block), (long)sizeof block);
  return fd;
}

struct shared {
  atomic_int ready, syncs;
  atomic_long seen_ns;  // when the other process saw that
};

static void look(struct shared* shared) {
  atomic_store(&shared->ready, 1);
  while (atomic_load(&shared->syncs) == 0) {
  }
  atomic_store(&shared->seen_ns, now_ns());
  _exit(0);
}

/// Whether the other process saw it while this one waited, or the disk was too fast to tell.
static bool runs_on(struct shared* shared) {
  const int fd = unwritten_file();
  atomic_store(&shared->ready, 0);
  atomic_store(&shared->syncs, 0);
  const pid_t looking = fork();
  if (looking == 0) look(shared);
  while (atomic_load(&shared->ready) == 0) {
  }
  const long begin_ns = now_ns();
  atomic_store(&shared->syncs, 1);
  CHECK_EQ(fsync(fd), 0);
  const long took_ns = now_ns() - begin_ns;
  CHECK_EQ(waitpid(looking, NULL, 0), looking);
  close(fd);
  return took_ns < LONG_NS || atomic_load(&shared->seen_ns) - begin_ns < took_ns / 2;
}

/// A machine that is held up may keep either waiting, but not each time.
static void another_process_runs_on(void) {
  struct shared* const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  for (int i = 0; i < 5; ++i)
    if (runs_on(shared)) return;
  CHECK(!"the other process runs while this one waits for its disk");
}

int main(void) {
  RUN(another_process_runs_on);
  return 0;
}
