// Included last by programs that have a table `cases` of names and functions: without an argument the names
// are printed, with one that case is run.
#pragma once

#include <stdio.h>
#include <string.h>

/// Of what lies below, nothing is to look like a pointer.
__attribute__((noinline)) static void clear_stack(void) {
  volatile char below[4096];
  for (size_t i = 0; i < sizeof below; ++i) below[i] = 0;
}

/// Deeper in the stack than what clear_stack() has for itself.
__attribute__((noinline)) static void run_deeper(void (*run)(void)) {
  volatile char room[256];
  room[0] = 0;
  run();
}

int main(int argc, char** argv) {
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    if (argc < 2)
      puts(cases[i].name);
    else if (strcmp(argv[1], cases[i].name) == 0)
      run_deeper(cases[i].run);
  }
  clear_stack();
  return 0;
}
