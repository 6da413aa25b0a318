// pairs N: memory taken and given back N times, with nothing done in between.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? atol(argv[1]) : 1000000;
  for (long i = 0; i < rounds; ++i) {
    void* volatile taken = malloc(24);
    free(taken);
  }
  return printf("%ld\n", rounds) < 0;
}
