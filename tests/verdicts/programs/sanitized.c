// Programs that a sanitizer ends.
#include <limits.h>

#include "cases.h"

static volatile long sink;

static void heap_overflow(void) {
  char* at = malloc(10);
  OPAQUE(at);
  at[10] = 1;  // at: heap_overflow
  OPAQUE(at);
  free(at);
}

static void freed(void) {
  char* at = malloc(10);
  OPAQUE(at);
  free(at);
  OPAQUE(at);
  sink = at[3];  // at: freed
}

static void stack_overflow(void) {
  char room[16];
  char* at = room;
  OPAQUE(at);
  at[16 + sink] = 1;  // at: stack_overflow
}

static APART int next(int number) { return number + 1; }  // at: overflows
static void overflows(void) { sink = next(INT_MAX); }

static APART int shifted(int by) { return 1 << by; }  // at: shift
static void shift(void) { sink = shifted(40); }

MAIN(CASE(heap_overflow), CASE(freed), CASE(stack_overflow), CASE(overflows), CASE(shift))
