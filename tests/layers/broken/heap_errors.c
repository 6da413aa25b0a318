// Each case, named by the first argument, makes one kind of error of heap memory. What a case stores goes
// where no compiler can see that nobody looks.
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char* volatile kept;
static volatile long sink;
#define NEVER_INLINE __attribute__((noinline))

NEVER_INLINE static char* block(size_t size) {
  char* volatile made = malloc(size);
  memset(made, 1, size);
  return made;
}
NEVER_INLINE static void release(char* which) { free(which); }
NEVER_INLINE static void read_char(char* at) { sink += *(volatile char*)at; }
NEVER_INLINE static void read_int(char* at) { sink += *(volatile int*)at; }
NEVER_INLINE static void read_long(char* at) { sink += *(volatile long*)at; }
NEVER_INLINE static void write_char(char* at) { *(volatile char*)at = 1; }
NEVER_INLINE static void write_long(char* at) { *(volatile long*)at = 1; }
NEVER_INLINE static void write_longs(char* at, int count) {
  for (int i = 0; i < count; ++i) ((volatile long*)at)[i] = i;
}

static void reads_behind(void) { read_char(block(10) + 10); }
static void uses_what_is_usable(void) {
  char* made = block(20);
  size_t usable = malloc_usable_size(made);  // more than 20, but not to Memcheck
  write_char(made + usable - 1);
  release(made);
}
static void reads_behind_aligned(void) { read_long(block(24) + 24); }
static void reads_across_the_end(void) { read_int(block(10) + 8); }
static void reads_before(void) { read_long(block(32) - 8); }
static void writes_behind(void) { write_char(block(13) + 13); }
static void writes_far_behind(void) { write_char(block(13) + 21); }
static void writes_before(void) { write_char(block(64) - 1); }
static void writes_many_behind(void) { write_longs(block(80), 12); }
static void reads_freed(void) {
  char* const freed = block(40);
  release(freed);
  read_long(freed + 8);
}
static void writes_freed(void) {
  char* const freed = block(2000);
  release(freed);
  write_long(freed + 1000);
}
static void reads_freed_large(void) {
  char* const freed = block(100000);
  char* const above = block(100);
  release(freed);
  read_char(freed + 50000);
  release(above);
}
static void frees_twice(void) {
  char* const freed = block(3000);
  char* const above = block(100);
  release(freed);
  release(above);
  release(freed);
}
static void reads_reallocated(void) {
  char* const before = block(100);
  char* const above = block(100);
  kept = realloc(before, 5000);
  read_char(before + 50);
  release(above);
}
static void reads_behind_shrunk(void) {
  char* const shrunk = realloc(block(1000), 100);
  read_char(shrunk + 500);
  kept = shrunk;
}
static void reads_behind_calloc(void) { read_int((char*)calloc(10, 6) + 60); }
static void reads_behind_aligned_alloc(void) {
  char* const aligned = aligned_alloc(64, 128);
  aligned[0] = 1;
  kept = aligned;
  read_long(aligned + 128);
}
static void reads_behind_posix_memalign(void) {
  void* aligned = NULL;
  if (posix_memalign(&aligned, 32, 96) != 0) abort();
  kept = aligned;
  write_long((char*)aligned + 96);
}
static void writes_argument(void) {
  char* const buffer = block(100);
  int ends[2];
  if (pipe(ends) != 0) abort();
  sink += write(ends[1], buffer + 50, 100);
}
static void* frees_for_another(void* which) {
  release(which);
  return NULL;
}
static void reads_freed_by_another(void) {
  char* const freed = block(48);
  pthread_t thread;
  pthread_create(&thread, NULL, frees_for_another, freed);
  pthread_join(thread, NULL);
  read_long(freed + 16);
}
static void* reads_too_much(void* which) {
  read_long((char*)which + 200);
  return NULL;
}
static void thread_reads_behind(void) {
  char* const small = block(200);
  pthread_t thread;
  pthread_create(&thread, NULL, reads_too_much, small);
  pthread_join(thread, NULL);
}
static void reads_behind_mapped(void) { read_long(block(300000) + 300000); }
static void copies_too_much(void) {
  char* const to = block(20);
  memcpy(to, "0123456789012345678901234567", 28);
  kept = to;
}
static void terminates_behind(void) {
  char* const to = block(8);
  strcpy(to, "eight ch");
  kept = to;
}
static void formats_too_much(void) {
  char* const to = block(8);
  sprintf(to, "%d", 123456789);
  kept = to;
}
static void damages_the_next(void) {
  char* const small = block(24);
  char* const next = block(24);
  write_longs(small, 4);
  release(next);
}
static void frees_inside(void) {
  char* const inside = block(64) + 16;
  release(inside);
}
static void leaks(void) {
  block(17);
  for (int i = 0; i < 3; ++i) kept = block(50);
}
static void leaks_a_list(void) {
  char** head = NULL;
  for (int i = 0; i < 5; ++i) {
    char** const node = malloc(24);
    node[0] = (char*)head;
    head = node;
  }
  head = NULL;
}
static void leaks_a_ring(void) {
  char** const first = malloc(16);
  char** const second = malloc(16);
  first[0] = (char*)second;
  second[0] = (char*)first;
}
static void keeps_the_midst(void) { kept = block(100) + 40; }
static void ends_well(void) {
  char* const made = block(1000);
  char copy[1000];
  memcpy(copy, made, sizeof copy);
  sink += (long)strlen(strcpy(made, "some text that is not so short")) + copy[3];
  sink += strcmp(made, "some text") + (strchr(made, 'q') != NULL) + memcmp(made, copy, 40);
  kept = strdup(made);
  sink += (long)strlen(kept);
  release(kept);
  kept = NULL;
  release(made);
}

static const struct {
  const char* name;
  void (*run)(void);
} cases[] = {
#define CASE(name) \
  { #name, name }
    CASE(reads_behind),
    CASE(reads_behind_aligned),
    CASE(reads_across_the_end),
    CASE(reads_before),
    CASE(writes_behind),
    CASE(writes_far_behind),
    CASE(writes_before),
    CASE(writes_many_behind),
    CASE(reads_freed),
    CASE(writes_freed),
    CASE(reads_freed_large),
    CASE(frees_twice),
    CASE(reads_reallocated),
    CASE(reads_behind_shrunk),
    CASE(reads_behind_calloc),
    CASE(reads_behind_aligned_alloc),
    CASE(reads_behind_posix_memalign),
    CASE(writes_argument),
    CASE(reads_freed_by_another),
    CASE(thread_reads_behind),
    CASE(reads_behind_mapped),
    CASE(copies_too_much),
    CASE(terminates_behind),
    CASE(formats_too_much),
    CASE(frees_inside),
    CASE(damages_the_next),
    CASE(leaks),
    CASE(leaks_a_list),
    CASE(leaks_a_ring),
    CASE(keeps_the_midst),
    CASE(uses_what_is_usable),
    CASE(ends_well),
};

#include "run_case.h"
