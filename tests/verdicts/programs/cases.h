// A broken program is one function of a file of them, chosen by the first argument. The line where its cause
// is ends with its mark, a comment `at: NAME`.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Case {
  const char* name;
  void (*run)(void);
};

/// The compiler must not know what it is, nor that it is not looked at.
#define OPAQUE(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")
#define APART __attribute__((noinline, noipa))

static int run_case(const struct Case* cases, int count, int words, char** word) {
  for (int i = 0; i < count && words > 1; ++i) {
    if (strcmp(cases[i].name, word[1]) == 0) {
      cases[i].run();
      return 0;
    }
  }
  fprintf(stderr, "no such case\n");
  return 99;
}

#define CASE(name) \
  { #name, name }
#define MAIN(...)                                                               \
  int main(int words, char** word) {                                            \
    static const struct Case cases[] = {__VA_ARGS__};                           \
    return run_case(cases, (int)(sizeof cases / sizeof cases[0]), words, word); \
  }
