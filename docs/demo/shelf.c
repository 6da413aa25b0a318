// A heap with holes, and a pool of the program's own. See docs/heap.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct pool {
  char* slab;
  size_t used;
};

__attribute__((noinline)) static void* pool_alloc(struct pool* pool, size_t size) {
  char* const block = pool->slab + pool->used;
  pool->used += (size + 15) / 16 * 16;
  return block;
}

__attribute__((noinline)) static char* label(struct pool* pool, int number) {
  char* const text = pool_alloc(pool, 24);
  snprintf(text, 24, "book %d", number);
  return text;
}

__attribute__((noinline)) static char* book(int number) {
  char* const pages = malloc(900 + number % 200);
  return memset(pages, 'x', 900);
}

__attribute__((noinline)) void full(void) { __asm__ volatile(""); }
__attribute__((noinline)) void thinned(void) { __asm__ volatile(""); }
__attribute__((noinline)) void taken(void) { __asm__ volatile(""); }

int main(void) {
  struct pool labels = {malloc(64 << 10), 0};
  char* books[1000];
  for (int i = 0; i < 1000; ++i) {
    books[i] = book(i);
    label(&labels, i);
  }
  full();
  for (int i = 0; i < 1000; ++i)
    if (i % 5 != 0) free(books[i]);
  thinned();
  if (fork() == 0) {
    free(books[0]);
    book(1);
    taken();
    _exit(0);
  }
  wait(NULL);
  return 0;
}
