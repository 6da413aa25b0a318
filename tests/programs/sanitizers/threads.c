// Four threads that allocate, share a sum under a lock and free: for builds with sanitizers.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void* work(void* unused) {
  (void)unused;
  for (int i = 0; i < 200; ++i) {
    char* const bytes = malloc((size_t)(100 + i));
    memset(bytes, i, (size_t)(100 + i));
    pthread_mutex_lock(&mutex);
    total += bytes[50];
    pthread_mutex_unlock(&mutex);
    free(bytes);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  printf("%ld\n", total);
  return 0;
}
