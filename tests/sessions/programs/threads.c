// Threads that call the same function: "work ADDRESS", then for each thread "TID CALLS".
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { kThreads = 4 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;

__attribute__((noinline)) void work(long thread) {
  pthread_mutex_lock(&lock);
  total += thread;
  pthread_mutex_unlock(&lock);
}

static void* run(void* argument) {
  const long thread = (long)argument, calls = 100 * (thread + 1);
  for (long i = 0; i < calls; ++i) {
    work(thread);
    if (i % 10 == 0) usleep(1);
  }
  char line[64];
  const int bytes = snprintf(line, sizeof line, "%d %ld\n", gettid(), calls);
  return (void*)(long)(write(1, line, (size_t)bytes) != bytes);
}

int main(void) {
  printf("work %p\n", (void*)work);
  fflush(stdout);
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, run, (void*)i);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  return 0;
}
