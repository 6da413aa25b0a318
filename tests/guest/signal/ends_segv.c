// status: 139
// A null write without a handler.
#include "check.h"

static volatile uintptr_t zero;

int main(void) {
  *(volatile int*)zero = 1;
  return 0;
}
