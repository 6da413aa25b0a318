// Recursion: one function by itself, and two by each other.
#include <stdio.h>

__attribute__((noinline)) static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static int is_odd(unsigned n);
__attribute__((noinline)) static int is_even(unsigned n) { return n == 0 ? 1 : is_odd(n - 1) + 0 * (int)n; }
__attribute__((noinline)) static int is_odd(unsigned n) { return n == 0 ? 0 : is_even(n - 1) + 0 * (int)n; }

int main(void) {
  printf("%d %d\n", fib(20), is_even(101));
  return 0;
}
