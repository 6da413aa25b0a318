// status: 139
// A fault in one thread ends the process.
#include <pthread.h>

#include "check.h"

static void* fault(void* unused) {
  begin_case("fault_of_a_thread");
  *(volatile int*)unused = 1;
  return unused;
}

int main(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fault, NULL), 0);
  pthread_join(thread, NULL);
  return 1;
}
