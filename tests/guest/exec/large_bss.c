// More zeroes in a position-independent program than the window for programs holds.
#include "check.h"

static char large[1700000000], more[100];

static void large_bss(void) {
  for (size_t i = 0; i < sizeof large; i += 100000000) CHECK_EQ(large[i], 0);
  large[sizeof large - 1] = 5;
  more[7] = 6;
  CHECK_EQ(large[sizeof large - 1] + more[7], 11);
  CHECK_EQ(strlen(getenv("PATH") == NULL ? "x" : getenv("PATH")) > 0, 1);
}

int main(void) {
  RUN(large_bss);
  return 0;
}
