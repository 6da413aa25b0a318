// status: 139
// A null write without a handler.
#include "check.h"

static volatile uintptr_t zero;

static void ends_segv(void) { *(volatile int*)zero = 1; }

int main(void) {
  RUN(ends_segv);
  return 0;
}
