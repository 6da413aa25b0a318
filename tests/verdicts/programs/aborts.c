// Programs that their C library or themselves end.
#include <assert.h>
#include <signal.h>
#include <unistd.h>

#include "cases.h"

static volatile long sink;

static void plain(void) { abort(); }  // at: plain

static APART void check(int count) {
  assert(count > 0 && "there is work");  // at: assertion
  sink = count;
}
static void assertion(void) { check(0); }

static void twice(void) {
  char* at = malloc(40);
  OPAQUE(at);
  free(at);
  OPAQUE(at);
  free(at);  // at: twice
}

static APART void release(void* block) {
  OPAQUE(block);
  free(block);  // at: twice_large
}
static void twice_large(void) {
  char *at = malloc(4000), *next = malloc(4000);
  OPAQUE(at);
  release(at);
  release(at);  // at: twice_large
  release(next);
}

static void inside(void) {
  char* at = malloc(100);
  at += 8;
  OPAQUE(at);
  free(at);  // at: inside
}

static void of_the_stack(void) {
  long local[8] = {0};
  char* at = (char*)local;
  OPAQUE(at);
  free(at);  // at: of_the_stack
}

static void overrun(void) {
  char *at = malloc(24), *next = malloc(2000);
  OPAQUE(at);
  OPAQUE(next);
  memset(at, 'x', 48);  // at: overrun
  OPAQUE(at);
  free(next);
  free(at);
}

static void underrun(void) {
  char *at = malloc(2000), *next = malloc(2000);
  OPAQUE(next);
  for (int i = 1; i <= 16; ++i) next[-i] = 'y';  // at: underrun
  OPAQUE(next);
  free(next);
  free(at);
}

static void use_after_free(void) {
  long *one = malloc(40), *two = malloc(40);
  OPAQUE(one);
  free(one);
  free(two);
  OPAQUE(two);
  two[0] = 0x4141414141414141;  // at: use_after_free
  OPAQUE(two);
  OPAQUE(one);
  one = malloc(40);
  two = malloc(40);
  OPAQUE(one);
  OPAQUE(two);
  *(malloc(40) ? two : one) = 1;
}

static void top_overrun(void) {
  char* at = malloc(24);
  OPAQUE(at);
  memset(at, 0x7f, 40);  // at: top_overrun
  OPAQUE(at);
  at = malloc(3000);
  OPAQUE(at);
}

static void wrong_realloc(void) {
  char* at = malloc(300);
  at += 16;
  OPAQUE(at);
  at = realloc(at, 500);  // at: wrong_realloc
  OPAQUE(at);
}

static APART void greet(const char* name) {
  char line[16];
  char* at = line;
  OPAQUE(at);
  while ((*at++ = *name++)) {  // at: smash
  }
  OPAQUE(at);
  sink = line[3];
}
static void smash(void) { greet("somebody with quite a long name, longer than sixteen"); }

static APART void fill(int* numbers, int count) {
  for (int i = 0; i < count; ++i) numbers[i] = i;
}
static APART void average(int count) {
  int numbers[10];
  fill(numbers, count);  // at: smash_by_callee
  sink = numbers[count % 10];
}
static void smash_by_callee(void) { average(24); }

static void fortified(void) {
  char line[8];
  char* volatile words = "more than eight letters";
  strcpy(line, words);  // at: fortified
  sink = line[2];
}

static void raised(void) { raise(SIGABRT); }  // at: raised

static void terminated(void) { kill(getpid(), SIGTERM); }  // at: terminated

MAIN(CASE(plain), CASE(assertion), CASE(twice), CASE(twice_large), CASE(inside), CASE(of_the_stack),
     CASE(overrun), CASE(underrun), CASE(use_after_free), CASE(top_overrun), CASE(wrong_realloc), CASE(smash),
     CASE(smash_by_callee), CASE(fortified), CASE(raised), CASE(terminated))
