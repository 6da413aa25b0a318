// Stacks that go deep, and what the program itself finds of it: each stack is filled with a pattern before
// begin(), and behind finish() it looks for the lowest byte that is not the pattern any more.
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  kPattern = 0xa5,
  kMainBytes = 400000,
  kThreadBytes = 96 << 10,
  kThreads = 3,
  kAlternateBytes = 64 << 10
};
static unsigned char *main_low, *thread_stacks[kThreads], *alternate;
static long step;  // bytes from one call of down() to the next

__attribute__((noinline)) void begin(void) { __asm__ volatile(""); }
__attribute__((noinline)) void finish(void) { __asm__ volatile(""); }

__attribute__((noinline)) static void fill(void) {
  volatile unsigned char room[kMainBytes];
  for (int at = 0; at < kMainBytes; ++at) room[at] = kPattern;
  main_low = (unsigned char*)(unsigned long)room;
}

__attribute__((noinline)) static int down(int calls, char* above) {
  char here[80];
  memset(here, 0x11, sizeof here);
  step = above - here;
  __asm__ volatile("" : : "r"(here) : "memory");
  return calls == 0 ? here[5] : down(calls - 1, here) + here[7];
}

__attribute__((noinline)) static int allocates(int bytes) {
  char* const room = alloca((unsigned long)bytes);
  memset(room, 0x22, (unsigned long)bytes);
  __asm__ volatile("" : : "r"(room) : "memory");
  return room[bytes / 2];
}

/// A leaf: what it writes lies in the red zone, or in a frame without a call.
__attribute__((noinline)) static int leaf(int seed) {
  volatile int values[12];
  for (int at = 0; at < 12; ++at) values[at] = seed + at;
  return values[seed % 12];
}

static void on_signal(int number) {
  volatile char room[9000];
  for (unsigned long at = 0; at < sizeof room; at += 100) room[at] = (char)number;
  leaf(3);
}

static void* run(void* argument) {
  const long number = (long)argument;
  if (number == 0) allocates(20000);
  if (number == 1) down(150, NULL);
  if (number == 2) leaf(4);
  return argument;
}

static unsigned char* lowest(unsigned char* from) {
  while (*from == kPattern) ++from;
  return from;
}

int main(void) {
  for (long thread = 0; thread < kThreads; ++thread) {
    thread_stacks[thread] =
        mmap(NULL, kThreadBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(thread_stacks[thread], kPattern, kThreadBytes);
  }
  alternate = malloc(kAlternateBytes);
  memset(alternate, kPattern, kAlternateBytes);
  const stack_t stack = {.ss_sp = alternate, .ss_size = kAlternateBytes};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR1, &action, NULL);
  fill();
  begin();
  allocates(3000);
  down(1000, NULL);
  raise(SIGUSR1);
  pthread_t threads[kThreads];
  for (long thread = 0; thread < kThreads; ++thread) {
    if (write(STDERR_FILENO, "", 0) != 0) return 1;  // an event before each is made
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, thread_stacks[thread], kThreadBytes);
    pthread_create(&threads[thread], &attributes, run, (void*)thread);
    pthread_join(threads[thread], NULL);
  }
  finish();
  unsigned char* const low = lowest(main_low);
  char anchor;
  printf("main %p %ld\n", (void*)low, (long)(&anchor - (char*)low));
  printf("alternate %p %ld\n", (void*)lowest(alternate),
         (long)(alternate + kAlternateBytes - lowest(alternate)));
  for (int thread = 0; thread < kThreads; ++thread) {
    unsigned char* const reached = lowest(thread_stacks[thread]);
    printf("thread%d %p %ld\n", thread, (void*)reached,
           (long)(thread_stacks[thread] + kThreadBytes - reached));
  }
  printf("step %p %ld\n", NULL, step);
  return 0;
}
