// A pointer to data is called.
// why: it jumped into data
// why: must not be executed
#include <stdint.h>

static unsigned char table[64] = {0xc3};

__attribute__((noinline)) int call(int (*function)(void)) {
  return function() + 1;  // CALLER
}

int main(void) { return call((int (*)(void))(uintptr_t)table); }
