// A function called in a program that a timer interrupts all the time, and from the handler too: "work
// ADDRESS", then how often it was called.
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

static volatile long handled, calls;

__attribute__((noinline)) void work(void) { __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED); }

static void handler(int number) {
  (void)number;
  ++handled;
  work();
}

int main(void) {
  printf("work %p\n", (void*)work);
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &often, NULL);
  for (long i = 0; handled < 30; ++i)
    if (i % 1000000 == 0) work();
  setitimer(ITIMER_REAL, &never, NULL);
  printf("%ld\n", calls);
  return 0;
}
