// The memory that AddressSanitizer takes for itself when a program begins, at addresses it does not choose:
// the shadow of low memory, a gap that nobody may touch, and the shadow of high memory.
#include "check.h"

#define LOW_SHADOW 0x7fff7000UL
#define LOW_SHADOW_BYTES 0x10000000UL
#define GAP (LOW_SHADOW + LOW_SHADOW_BYTES)
#define HIGH_SHADOW 0x2008fff7000UL
#define HIGH_SHADOW_BYTES 0xdfff0001000UL

static char* take(unsigned long address, unsigned long bytes, int protection) {
  return mmap((void*)address, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
              0);
}

static int add(int a, int b) { return a + b; }
static int subtract(int a, int b) { return a - b; }
static int (*volatile operations[])(int, int) = {add, subtract};

static void shadows(void) {
  char* const low = take(LOW_SHADOW, LOW_SHADOW_BYTES, PROT_READ | PROT_WRITE);
  char* const high = take(HIGH_SHADOW, HIGH_SHADOW_BYTES, PROT_READ | PROT_WRITE);
  CHECK_EQ(low, LOW_SHADOW);
  CHECK_EQ(high, HIGH_SHADOW);
  CHECK_EQ(take(GAP, HIGH_SHADOW - GAP, PROT_NONE), GAP);
  for (unsigned long at = 0; at < LOW_SHADOW_BYTES; at += 65536) {
    CHECK_EQ(low[at], 0);
    low[at] = (char)(at >> 16);
  }
  high[12345] = 7;
  low[LOW_SHADOW_BYTES - 1] = 9;
  for (unsigned long at = 65536; at < LOW_SHADOW_BYTES; at += 65536) CHECK_EQ(low[at], (char)(at >> 16));
  CHECK_EQ(low[LOW_SHADOW_BYTES - 1] + high[12345], 16);
}
static void calls_go_on(void) {
  int sum = 0;
  for (int i = 0; i < 1000; ++i) sum += operations[i % 2](i, 1);
  CHECK_EQ(sum, 499500);
}
static void a_shadow_can_go(void) {
  CHECK_EQ(munmap((void*)LOW_SHADOW, LOW_SHADOW_BYTES), 0);
  calls_go_on();
  CHECK_EQ(take(LOW_SHADOW, 4096, PROT_READ | PROT_WRITE), LOW_SHADOW);
  CHECK_EQ(*(char*)LOW_SHADOW, 0);
}

int main(void) {
  RUN(shadows);
  RUN(calls_go_on);
  RUN(a_shadow_can_go);
  return 0;
}
