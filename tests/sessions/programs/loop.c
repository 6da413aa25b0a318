// A loop whose address it says, gone through as often as it is told: "body ADDRESS".
#include <stdio.h>
#include <stdlib.h>

int main(int count, char** words) {
  const long turns = count > 1 ? atol(words[1]) : 100000;
  extern char body[];
  printf("body %p\n", (void*)body);
  fflush(stdout);
  long left = turns, sum = 0;
  __asm__ volatile(
      ".globl body\n"
      "body: add %0, %1\n"
      "dec %0\n"
      "jnz body\n"
      : "+r"(left), "+r"(sum));
  printf("%ld\n", sum);
  return 0;
}
