// A library function that calls back.
#include <stdio.h>
#include <stdlib.h>

static int ascending(const void* left, const void* right) {
  const unsigned a = *(const unsigned*)left, b = *(const unsigned*)right;
  return a < b ? -1 : a > b;
}
static int descending(const void* left, const void* right) { return ascending(right, left); }

int main(void) {
  static unsigned numbers[5000];
  unsigned state = 1;
  for (int i = 0; i < 5000; ++i) numbers[i] = state = state * 1664525 + 1013904223;
  qsort(numbers, 5000, sizeof numbers[0], ascending);
  qsort(numbers, 2500, sizeof numbers[0], descending);
  printf("%u %u\n", numbers[0], numbers[4999]);
  return 0;
}
