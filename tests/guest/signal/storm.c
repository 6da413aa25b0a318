// A timer every half millisecond on top of integer, floating point, vector, string and library code: each
// result is the same as without signals, and handlers saw a fresh processor state every time.
#include <math.h>
#include <sys/time.h>

#include "check.h"

static volatile int ticks;
static volatile double handler_sum;

static void tick(int number, siginfo_t* info, void* context) {
  char text[64];
  ++ticks;
  handler_sum = handler_sum + sin(ticks);
  snprintf(text, sizeof text, "%f %d", handler_sum, ticks);
  memset(text, 0xff, sizeof text);
}

static uint64_t integers(void) {
  uint64_t x = 88172645463325252u, sum = 0;
  for (int i = 0; i < 1500000; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    sum += x % 1000003 + (x & 1 ? sum >> 3 : 7);
  }
  return sum;
}

static uint64_t floats(void) {
  double sum = 0;
  long double wide = 1;
  for (int i = 1; i < 300000; i++) {
    sum += sqrt((double)i) / (1 + fabs(sin(i)));
    wide = wide * 1.0000001L + 1.0L / i;
  }
  uint64_t bits;
  memcpy(&bits, &sum, sizeof bits);
  return bits ^ (uint64_t)(wide * 1e12L);
}

static uint64_t strings(void) {
  static char from[20000], to[20000];
  uint64_t sum = 0;
  for (int round = 0; round < 400; round++) {
    for (size_t i = 0; i + 1 < sizeof from; i += 97) from[i] = (char)('a' + (i + (size_t)round) % 26);
    memset(to, round, sizeof to);
    memcpy(to, from, sizeof to - 1 - (size_t)round);
    memmove(to + 13, to, 15000);
    for (size_t i = 0; i < sizeof to; i += 1 + (size_t)round % 7) sum = sum * 31 + (unsigned char)to[i];
    char number[32];
    snprintf(number, sizeof number, "%d.%08x", round, (unsigned)sum);
    sum += strlen(number) + (uint64_t)atof(number);
  }
  return sum;
}

static int compare(const void* a, const void* b) {
  const int x = *(const int*)a, y = *(const int*)b;
  return (x > y) - (x < y);
}

static uint64_t sorting(void) {
  static int numbers[60000];
  unsigned x = 12345;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    numbers[i] = (int)(x = x * 1664525u + 1013904223u);
  qsort(numbers, sizeof numbers / sizeof *numbers, sizeof *numbers, compare);
  uint64_t sum = 0;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sum = sum * 33 + (unsigned)numbers[i];
  return sum;
}

static void work_under_timer(void) {
  uint64_t (*const work[])(void) = {integers, floats, strings, sorting};
  uint64_t quiet[4];
  for (int i = 0; i < 4; i++) quiet[i] = work[i]();
  on_signal(SIGALRM, tick, SA_RESTART);
  struct itimerval timer = {.it_value = {.tv_usec = 500}, .it_interval = {.tv_usec = 500}};
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < 4; i++) CHECK_EQ(work[i](), quiet[i]);
  timer = (struct itimerval){0};
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  CHECK(ticks > 5);
  CHECK(handler_sum != 0);
}

int main(void) {
  RUN(work_under_timer);
  return 0;
}
