// Stores to an address nobody has: "store ADDRESS" of the instruction.
#include <stdio.h>

extern char store[];

int main(void) {
  printf("store %p\n", (void*)store);
  fflush(stdout);
  for (int i = 0; i < 1000; ++i) __asm__ volatile("" ::: "memory");
  __asm__ volatile("mov $0x10, %%eax\nstore: movl $1, (%%rax)\n" ::: "rax", "memory");
  return 0;
}
