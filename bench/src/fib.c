// fib N: a run that is nothing but calls.
#include <stdio.h>
#include <stdlib.h>

static __attribute__((noinline)) long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char** argv) { return printf("%ld\n", fib(argc > 1 ? atol(argv[1]) : 30)) < 0; }
