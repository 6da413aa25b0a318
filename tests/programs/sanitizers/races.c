// A race whose two sides always come in the same order, and a child that has one too.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static long shared;
static char* buffer;
static atomic_int written;

static void* writes(void* nothing) {
  shared = 1;
  buffer[3] = 'x';
  atomic_store_explicit(&written, 1, memory_order_relaxed);
  while (atomic_load_explicit(&written, memory_order_relaxed) != 2) usleep(500);
  return nothing;
}

static void race(void) {
  pthread_t thread;
  buffer = malloc(16);
  pthread_create(&thread, NULL, writes, NULL);
  while (atomic_load_explicit(&written, memory_order_relaxed) == 0) sched_yield();
  usleep(2000);
  shared = 2;
  const char seen = buffer[3];
  atomic_store_explicit(&written, 2, memory_order_relaxed);
  pthread_join(thread, NULL);
  printf("%ld %c\n", shared, seen);
  fflush(stdout);
  free(buffer);
}

int main(int count, char** arguments) {
  if (count > 1 && strcmp(arguments[1], "child") == 0) {
    const pid_t child = fork();
    if (child == 0) {
      char* const words[] = {arguments[0], NULL};
      execv("/proc/self/exe", words);
      _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child: %d\n", WEXITSTATUS(status));
    char* const plain[] = {"echo", "a program without a sanitizer", NULL};
    execv("/bin/echo", plain);
  }
  race();
  return 0;
}
