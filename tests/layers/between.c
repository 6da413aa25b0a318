// What the calls that are on tell where nothing is noted in between: memory that the program maps itself,
// with the stack as free had it just before; and a child that is forked within calls that led to no allocator
// yet.
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static NOINLINE void asks(void) {
  void* volatile block = malloc(4321);
  __asm__ volatile("" : : "r"(block) : "memory");
}
static NOINLINE int forks(void) {
  const pid_t child = fork();
  if (child == 0) {
    asks();
    _exit(0);
  }
  int status = 1;
  return waitpid(child, &status, 0) == child && status == 0;
}
static NOINLINE int leads_there(void) { return forks() + 1; }

int main(void) {
  enum { kBytes = 5 << 20 };
  void* volatile block = malloc(24);
  free(block);
  void* const own = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (own == MAP_FAILED) return 1;
  block = malloc(24);
  free(block);
  if (munmap(own, kBytes) != 0) return 2;
  return leads_there() == 2 ? 0 : 3;
}
