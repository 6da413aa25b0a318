// A program that steps itself while a timer's signals come in between, also between the elements of a
// repeated string instruction.
#include <sys/time.h>

#include "check.h"

static volatile long steps, alarms;

static void stepped(int number, siginfo_t* info, void* context) {
  CHECK_EQ(info->si_code, TRAP_TRACE);
  ++steps;
}

static void rang(int number) {
  unsigned long flags;
  __asm__ volatile("pushfq; pop %0" : "=r"(flags));
  CHECK_EQ(flags & 0x100, 0);
  ++alarms;
}

static void start_timer(long microseconds) {
  const struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void loop_with_alarms(void) {
  long rounds = 0;
  steps = alarms = 0;
  start_timer(700);
  __asm__ volatile(
      "pushfq; orl $0x100, (%%rsp); popfq\n"
      "1: inc %0; cmpq $5, %1; jl 1b\n"
      "pushfq; andl $~0x100, (%%rsp); popfq"
      : "+r"(rounds)
      : "m"(alarms)
      : "cc", "memory");
  start_timer(0);
  CHECK(alarms >= 5);
  CHECK_EQ(steps, 3 * rounds + 3);
}

static void strings_with_alarms(void) {
  static char from[64], to[64];
  long rounds = 0;
  for (int i = 0; i < 64; ++i) from[i] = (char)i;
  steps = alarms = 0;
  start_timer(700);
  __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "cc", "memory");
  while (alarms < 5) {
    void *source = from, *target = to;
    long count = 64;
    __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
    CHECK(source == from + 64 && target == to + 64);
    ++rounds;
  }
  __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "cc", "memory");
  start_timer(0);
  CHECK(steps > 64 * rounds);
  CHECK_EQ(memcmp(from, to, 64), 0);
}

int main(void) {
  on_signal(SIGTRAP, stepped, 0);
  signal(SIGALRM, rang);
  RUN(loop_with_alarms);
  RUN(strings_with_alarms);
  return 0;
}
