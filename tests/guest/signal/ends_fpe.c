// status: 136
// A division by zero.
#include "check.h"

static volatile uintptr_t zero;

static void ends_fpe(void) { zero = 5 / zero; }

int main(void) {
  RUN(ends_fpe);
  return 0;
}
