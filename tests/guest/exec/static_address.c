// static
// A static ET_EXEC program lies where it says; its data, bss and rodata are what the file holds.
#include "check.h"

static const char text[] = "read-only";
static int initialized[3000] = {1, 2, 3, [2999] = 4};
static char zeroes[100000];

int main(void);

static void static_address(void) {
  CHECK((uintptr_t)&main < 0x60000000);
  CHECK((uintptr_t)text < 0x60000000);
  CHECK_EQ(initialized[2], 3);
  CHECK_EQ(initialized[2999], 4);
  for (size_t i = 0; i < sizeof zeroes; ++i) CHECK_EQ(zeroes[i], 0);
  zeroes[99999] = 1;
  initialized[0] = 9;
}

int main(void) {
  RUN(static_address);
  return 0;
}
