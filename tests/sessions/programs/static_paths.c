// Calls of work() from wherever a program can get to: below frames of different sizes, behind longjmp, on a
// signal's own stack and behind its handler, on other stacks that are left and come back to, by a jump, and
// from deep down.
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define APART __attribute__((noinline, noclone))

volatile unsigned long sink;

APART unsigned long work(unsigned long number) {
  sink += number;
  return number * 3;
}

/// Jumps there in the end.
APART unsigned long jumps(unsigned long number) { return work(number + 1); }

APART unsigned long nothing(unsigned long number) {
  __asm__ volatile("" : : : "memory");
  return number + 1;
}

APART void frames(unsigned bytes) {
  sink += nothing(bytes);
  char* const room = alloca(bytes);
  memset(room, 1, bytes);
  sink += work(bytes) + (unsigned long)room[bytes / 2];
  sink += jumps(bytes);
}

static jmp_buf back;
APART void leaves(int depth) {
  sink += nothing((unsigned long)depth);
  if (depth == 0) work(1), longjmp(back, 1);
  leaves(depth - 1);
  sink += 1;
}

APART void abandons(int depth) {
  sink += nothing((unsigned long)depth);
  if (depth == 0) longjmp(back, 1);
  abandons(depth - 1);
  sink += 1;
}

/// More calls that never return than anybody keeps.
APART void abandons_many(void) {
  for (volatile int i = 0; i < 20000; ++i) {
    if (setjmp(back) == 0) abandons(6);
    if (i % 500 == 0) work(6);
  }
}

APART void returns_late(void) {
  for (volatile int i = 0; i < 5; ++i) {
    if (setjmp(back) == 0) leaves(10 * i);
    work(2);
    frames(64);
  }
}

static void on_signal(int number) {
  work((unsigned long)number);
  frames(32);
}

APART void signals(void) {
  static char room[1 << 16];
  const stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
  struct sigaction action = {.sa_handler = on_signal};
  sigaltstack(&stack, NULL);
  for (int i = 0; i < 4; ++i) {
    action.sa_flags = i % 2 ? SA_ONSTACK : 0;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    work(3);
  }
}

static ucontext_t others[2], own;
static void other(int number) {
  for (int i = 0; i < 4; ++i) {
    frames(16);
    swapcontext(&others[number], &own);
    work(4);
  }
}

APART void switches(void) {
  for (int i = 0; i < 2; ++i) {
    getcontext(&others[i]);
    others[i].uc_stack.ss_sp = malloc(1 << 18);
    others[i].uc_stack.ss_size = 1 << 18;
    others[i].uc_link = &own;
    makecontext(&others[i], (void (*)(void))other, 1, i);
  }
  for (int i = 0; i < 8; ++i) {
    swapcontext(&own, &others[i % 2]);
    work(5);
  }
}

APART unsigned long deep(unsigned long depth) {
  if (depth % 5000 == 0) work(depth);
  const unsigned long below = depth == 0 ? 0 : deep(depth - 1);
  if (depth % 7000 == 0) work(depth);
  return below + 1;
}

int main(void) {
  printf("work %p\n", (void*)work);
  printf("jumps %p\n", (void*)jumps);
  printf("malloc %p\n", (void*)malloc);
  fflush(stdout);
  frames(100);
  frames(5000);
  returns_late();
  signals();
  switches();
  abandons_many();
  deep(80000);
  deep(10);
  frames(10);
  return 0;
}
