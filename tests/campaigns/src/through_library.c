/* Recursion through a library without symbols, with arrays whose length is known at run time only. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef int (*visitor)(int depth, char* text);
int walk(int depth, visitor visit);

static volatile int signals;

static void on_signal(int number) { signals += number; }

static __attribute__((noinline)) int weigh(const char* text, int length) {
  long weights[length + 1];
  long sum = 0;
  for (int i = 0; i < length; i++) weights[i] = text[i] * (i + 1L);
  for (int i = 0; i < length; i++) sum += weights[i] % 7;
  return (int)sum;
}

static int visit(int depth, char* text) {
  if (depth % 3 == 0) raise(SIGUSR2);
  return weigh(text, (int)strlen(text)) + depth;
}

int main(void) {
  signal(SIGUSR2, on_signal);
  int sum = 0;
  for (int round = 0; round < 4; round++) {
    sum += walk(9 + round, visit);
    if (write(1, ".", 1) != 1) return 1;
  }
  printf("%d %d\n", sum, signals);
  return 0;
}
