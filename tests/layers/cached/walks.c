// Ways through memory that miss: along rows, along columns, from one place to a far one, in a chain.
#include <stdio.h>
#include <stdlib.h>

enum { kRows = 512, kColumns = 512, kLinks = 40000 };
static int matrix[kRows][kColumns] __attribute__((aligned(4096)));
static unsigned chain[kLinks * 16] __attribute__((aligned(4096)));

__attribute__((noinline)) static long by_rows(void) {
  long sum = 0;
  for (int r = 0; r < kRows; ++r)
    for (int c = 0; c < kColumns; ++c) sum += matrix[r][c];
  return sum;
}

__attribute__((noinline)) static long by_columns(void) {
  long sum = 0;
  for (int c = 0; c < kColumns; ++c)
    for (int r = 0; r < kRows; ++r) sum += matrix[r][c];
  return sum;
}

__attribute__((noinline)) static void fill(void) {
  for (int r = 0; r < kRows; ++r)
    for (int c = 0; c < kColumns; ++c) matrix[r][c] = r ^ c;
  for (unsigned i = 0; i < kLinks; ++i) chain[i * 16] = (i + 17011) % kLinks;
}

__attribute__((noinline)) static unsigned follow(void) {
  unsigned at = 0;
  for (int i = 0; i < 100000; ++i) at = chain[at * 16];
  return at;
}

__attribute__((noinline)) static void change(void) {
  for (unsigned i = 0; i < kLinks; ++i) chain[i * 16 + 1] += i;
}

int main(void) {
  fill();
  change();
  printf("%ld %ld %u\n", by_rows(), by_columns(), follow());
  return 0;
}
