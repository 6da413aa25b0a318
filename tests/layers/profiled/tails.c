// Functions that end with a jump into another.
#include <stdio.h>

__attribute__((noinline)) static long last(long n) {
  __asm__ volatile("");
  return n * 3;
}
__attribute__((noinline)) static long middle(long n) {
  __asm__ volatile("");
  return last(n + 1);
}
__attribute__((noinline)) static long first(long n) {
  __asm__ volatile("");
  return n % 2 ? middle(n) : last(n);
}
__attribute__((noinline)) static long count_down(long n, long sum) {
  __asm__ volatile("");
  return n == 0 ? sum : count_down(n - 1, sum + n);
}

int main(void) {
  long sum = 0;
  for (long i = 0; i < 1000; ++i) sum += first(i);
  printf("%ld\n", sum + count_down(500, 0));
  return 0;
}
