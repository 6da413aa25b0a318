// status: 136
// A division by zero.
#include "check.h"

static volatile uintptr_t zero;

int main(void) {
  zero = 5 / zero;
  return 0;
}
