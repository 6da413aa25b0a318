// static-pie
// A static PIE relocates itself; thread-local storage and constructors work.
#include "check.h"

static __thread int local = 5;
static int constructed;
static int* pointer = &constructed;
static void __attribute__((constructor)) construct(void) { constructed = 7; }

static void static_pie(void) {
  CHECK_EQ(local, 5);
  CHECK_EQ(constructed, 7);
  CHECK(pointer == &constructed);
  local = 6;
  char* p = malloc(1000000);
  CHECK(p != NULL);
  memset(p, 1, 1000000);
  free(p);
}

int main(void) {
  RUN(static_pie);
  return 0;
}
