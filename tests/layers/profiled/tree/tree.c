// Threads, a child that goes on and one that becomes this program again: each calls work() so often.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long sum;

static void work(long n) { sum += n; }

static void* thread(void* argument) {
  for (int i = 0; i < 1000; ++i) work((long)argument);
  return NULL;
}

int main(int count, char** words) {
  if (count > 1) {
    for (int i = 0; i < 3; ++i) work(i);
    return 0;
  }
  if (fork() == 0) {
    for (int i = 0; i < 20; ++i) work(i);
    exit(0);
  }
  wait(NULL);
  if (fork() == 0) {
    execl(words[0], words[0], "again", NULL);
    exit(1);
  }
  wait(NULL);
  pthread_t threads[4];
  for (long i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, thread, (void*)i);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  for (int i = 0; i < 7; ++i) work(i);
  return 0;
}
