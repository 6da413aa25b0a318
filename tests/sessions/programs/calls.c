// Calls a function from several places and says so itself: "work ADDRESS", then each argument.
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) long work(long argument) {
  __asm__ volatile("" : "+r"(argument));
  return argument * 3;
}

__attribute__((noinline)) long recursive(long depth) {
  return depth == 0 ? work(1000) : recursive(depth - 1) + 1;
}

int main(void) {
  long (*volatile indirect)(long) = work;
  printf("work %p\n", (void*)work);
  long sum = 0;
  for (long i = 0; i < 50; ++i) {
    sum += i % 3 == 0 ? work(i) : indirect(i * 7);
    printf("%ld\n", i % 3 == 0 ? i : i * 7);
  }
  sum += recursive(5);
  printf("1000\n");
  return sum == 0;
}
