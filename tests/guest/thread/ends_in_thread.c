// status: 42
// exit_group of one thread ends all, wherever they are.
#include <pthread.h>

#include "check.h"

static void* sleep_on(void* unused) {
  pause();
  return unused;
}
static void* spin(void* unused) {
  for (;;) continue;
  return unused;
}
static void* end(void* unused) {
  usleep(10000);
  begin_case("exit_group_of_a_thread");
  _exit(42);
}

int main(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleep_on, NULL), 0);
  CHECK_EQ(pthread_create(&thread, NULL, spin, NULL), 0);
  CHECK_EQ(pthread_create(&thread, NULL, end, NULL), 0);
  pthread_join(thread, NULL);
  return 1;
}
