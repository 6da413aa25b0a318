// An assertion fails.
// why: the assertion `number % 2 == 0` failed
// why: half(number=7)
#include <assert.h>

__attribute__((noinline)) int half(int number) {
  assert(number % 2 == 0);  // CRASH
  return number / 2;
}

int main(void) { return half(4) + half(7); }
