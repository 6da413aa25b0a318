// Files that processes map shared, each by itself: what one stores the others see, and locks in them hold.
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/wait.h>

#include "check.h"

enum { kRounds = 20000, kPageBytes = 4096 };

struct Board {
  atomic_int lock, ready, count;
  int plain, last[2];
};

static struct Board* map(const char* name, int flags, int protection) {
  const int fd = open(name, flags, 0600);
  CHECK(fd >= 0);
  if ((flags & O_CREAT) != 0) CHECK_EQ(ftruncate(fd, kPageBytes), 0);
  struct Board* board = mmap(NULL, kPageBytes, protection, MAP_SHARED, fd, 0);
  CHECK(board != MAP_FAILED);
  CHECK_EQ(close(fd), 0);
  return board;
}

static void wait_until(atomic_int* word, int least) {
  while (atomic_load(word) < least) sched_yield();
}

static void add(struct Board* board, int who) {
  for (int i = 0; i < kRounds; i++) {
    while (atomic_exchange(&board->lock, 1) != 0) sched_yield();
    board->plain++;
    board->last[who] = i;
    atomic_store(&board->lock, 0);
    atomic_fetch_add(&board->count, 1);
  }
}

static void end_well(pid_t child) {
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

/// The first has it mapped for a while before the second opens it by name.
static void both_count(void) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    char word;
    CHECK_EQ(read(ends[0], &word, 1), 1);
    struct Board* board = map("board", O_RDWR, PROT_READ | PROT_WRITE);
    CHECK_EQ(board->plain, 7);
    atomic_store(&board->ready, 1);
    add(board, 0);
    _exit(0);
  }
  struct Board* board = map("board", O_RDWR | O_CREAT, PROT_READ | PROT_WRITE);
  board->plain = 7;
  CHECK_EQ(write(ends[1], "", 1), 1);
  wait_until(&board->ready, 1);
  add(board, 1);
  end_well(child);
  CHECK_EQ(board->plain, 2 * kRounds + 7);
  CHECK_EQ(board->count, 2 * kRounds);
  CHECK_EQ(board->last[0], kRounds - 1);
  CHECK_EQ(munmap(board, kPageBytes), 0);
}

/// Who has it mapped waits in a call when the other comes by, and that one may only read.
static void a_reader_looks_on(void) {
  int ends[2], back[2];
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(pipe(back), 0);
  const pid_t child = fork();
  if (child == 0) {
    char word;
    CHECK_EQ(read(ends[0], &word, 1), 1);
    const struct Board* board = map("other", O_RDONLY, PROT_READ);
    CHECK_EQ(board->plain, 11);
    CHECK_EQ(write(back[1], "", 1), 1);
    wait_until((atomic_int*)&board->ready, 1);
    _exit(board->plain == 12 ? 0 : 1);
  }
  struct Board* board = map("other", O_RDWR | O_CREAT, PROT_READ | PROT_WRITE);
  board->plain = 11;
  CHECK_EQ(write(ends[1], "", 1), 1);
  char word;
  CHECK_EQ(read(back[0], &word, 1), 1);
  board->plain = 12;
  atomic_store(&board->ready, 1);
  end_well(child);
  CHECK_EQ(munmap(board, kPageBytes), 0);
}

/// write(2) by one of them is seen by the other.
static void a_write_is_seen(void) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    char word;
    CHECK_EQ(read(ends[0], &word, 1), 1);
    struct Board* board = map("third", O_RDWR, PROT_READ | PROT_WRITE);
    const int fd = open("third", O_RDWR);
    CHECK_EQ(ftruncate(fd, 2 * kPageBytes), 0);
    CHECK_EQ(pwrite(fd, "seen", 4, offsetof(struct Board, plain)), 4);
    atomic_store(&board->ready, 1);
    _exit(0);
  }
  struct Board* board = map("third", O_RDWR | O_CREAT, PROT_READ | PROT_WRITE);
  CHECK_EQ(write(ends[1], "", 1), 1);
  wait_until(&board->ready, 1);
  CHECK_EQ(memcmp(&board->plain, "seen", 4), 0);
  end_well(child);
}

int main(void) {
  RUN(both_count);
  RUN(a_reader_looks_on);
  RUN(a_write_is_seen);
  return 0;
}
