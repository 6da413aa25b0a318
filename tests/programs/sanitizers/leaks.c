// Memory that is lost and memory that is held, by threads that are running, blocked and gone when the leak
// checker looks. Without an argument nothing is lost.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t ready;
static void* held;
static int ends[2];

/// Holds a block by its stack alone, in a call that waits.
static void* holds_blocked(void* nothing) {
  char* const mine = malloc(111);
  mine[0] = 'x';
  pthread_barrier_wait(&ready);
  (void)!read(ends[0], mine, 1);
  return mine;
}

/// Holds a block in a register, most likely, and runs.
static void* holds_running(void* nothing) {
  volatile char* const mine = malloc(222);
  pthread_barrier_wait(&ready);
  for (;;) mine[1]++;
  return nothing;
}

static void* loses(void* nothing) {
  void* volatile lost = malloc(333);
  memset(lost, 1, 333);
  return nothing;
}

__attribute__((noinline)) static void lose_a_list(int count) {
  struct node {
    struct node* next;
    char bytes[56];
  }* list = NULL;
  for (int i = 0; i < count; ++i) {
    struct node* const node = malloc(sizeof *node);
    node->next = list;
    list = node;
  }
}

/// Pointers to lost memory that the stack still shows would hold it.
__attribute__((noinline)) static void clear_stack(void) {
  volatile char bytes[4096];
  memset((char*)bytes, 0, sizeof bytes);
}

int main(int count, char** arguments) {
  (void)arguments;
  if (pipe(ends) != 0) return 2;
  pthread_barrier_init(&ready, NULL, 3);
  pthread_t thread;
  pthread_create(&thread, NULL, holds_blocked, NULL);
  pthread_create(&thread, NULL, holds_running, NULL);
  pthread_barrier_wait(&ready);
  held = malloc(444);
  if (count > 1) {
    lose_a_list(7);
    pthread_create(&thread, NULL, loses, NULL);
    pthread_join(thread, NULL);
    clear_stack();
  }
  puts("at the end");
  return 0;
}
