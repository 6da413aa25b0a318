// Processes that change shared memory without a lock: what is lost depends on who ran when.
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kProcesses = 4, kRounds = 3000 };

int main(void) {
  volatile int* const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < kProcesses; ++i) {
    if (fork() != 0) continue;
    for (int round = 0; round < kRounds; ++round) {
      const int before = *shared;
      for (volatile int pause = 0; pause < 20; ++pause) {
      }
      *shared = before + 1;
    }
    dprintf(1, "process %d: %d\n", i, *shared);
    _exit(0);
  }
  while (wait(NULL) > 0) {
  }
  printf("%d of %d\n", *shared, kProcesses * kRounds);
  return 0;
}
