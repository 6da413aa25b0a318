// A parent and its child: 64 pages that both have after the fork until one of them writes, 16 pages that they
// share for good, and a recursion that goes deep. The exercise of docs/memory.md.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096 };
static char *own, *shared;

__attribute__((noinline)) void forked(void) { __asm__ volatile(""); }
__attribute__((noinline)) void written(void) { __asm__ volatile(""); }

__attribute__((noinline)) static void change(int pages) {
  for (int page = 0; page < pages; ++page) own[page * kPage] = 2;
}

__attribute__((noinline)) static int count_down(int from) {
  char room[200];
  memset(room, from, sizeof room);
  __asm__ volatile("" : : "r"(room) : "memory");
  return from == 0 ? 0 : count_down(from - 1) + room[7] - room[8];
}

int main(void) {
  own = mmap(NULL, 64 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  shared = mmap(NULL, 16 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset(own, 1, 64 * kPage);
  memset(shared, 1, 16 * kPage);
  const pid_t child = fork();
  if (child == 0) {
    forked();
    change(24);
    shared[0] = 3;
    written();
    _exit(count_down(100));
  }
  waitpid(child, NULL, 0);
  change(8);
  return 0;
}
