// Allocators of a program's own: a pool over one block of malloc's, static, with other arguments before the
// size; one of fixed size; one that stores the address; and a wrapper of malloc's. "live" lines say what is
// live of the pool, address and size, at a call of seen().
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

struct pool {
  char* slab;
  size_t used;
};

struct held {
  void* address;
  size_t size;
};
static struct held held[64];
static int held_count;

static void* hold(void* address, size_t size) {
  held[held_count++] = (struct held){address, size};
  return address;
}
static void let_go(void* address) {
  for (int at = 0; at < held_count; ++at)
    if (held[at].address == address) held[at] = held[--held_count];
}

NOINLINE void seen(int point) { __asm__ volatile("" : : "r"(point) : "memory"); }
static void tell(int point) {
  for (int at = 0; at < held_count; ++at) printf("live %p %zu\n", held[at].address, held[at].size);
  printf("seen (nil) %d\n", point);
  fflush(stdout);
  seen(point);
}

static NOINLINE void* pool_alloc(struct pool* pool, size_t size) {
  char* const block = pool->slab + pool->used;
  pool->used += (size + 15) / 16 * 16;
  __asm__ volatile("" : : : "memory");
  return block;
}
static NOINLINE void* pool_calloc(struct pool* pool, size_t count, size_t size) {
  return memset(pool_alloc(pool, count * size), 0, count * size);
}
static NOINLINE void* pool_grow(struct pool* pool, void* block, size_t size) {
  void* const grown = pool_alloc(pool, size);
  return block == NULL ? grown : memcpy(grown, block, size / 2);
}
static NOINLINE void pool_free(struct pool* pool, void* block) {
  __asm__ volatile("" : : "r"(pool), "r"(block) : "memory");
}
static NOINLINE void* node_new(struct pool* pool) {
  char* const block = pool->slab + pool->used;
  pool->used += 48;
  __asm__ volatile("" : : : "memory");
  return block;
}
static NOINLINE int pool_store(struct pool* pool, void** to, size_t size) {
  *to = pool_alloc(pool, size);
  return 0;
}
NOINLINE void* checked(size_t size) {
  void* const block = malloc(size);
  if (block == NULL) abort();
  __asm__ volatile("" : : : "memory");
  return block;
}

static NOINLINE void* asks_pool(struct pool* pool, size_t size) { return hold(pool_alloc(pool, size), size); }
static NOINLINE char* asks_checked(size_t size) { return checked(size); }

static void* work(void* pool) {
  for (int i = 0; i < 5; ++i) asks_pool(pool, 40 + i);
  return NULL;
}

int main(void) {
  struct pool pool = {malloc(1 << 20), 0};
  void* const first = asks_pool(&pool, 100);
  hold(pool_calloc(&pool, 3, 50), 150);
  hold(node_new(&pool), 48);
  void* stored = NULL;
  pool_store(&pool, &stored, 77);
  hold(stored, 77);
  tell(1);
  let_go(first);
  void* const grown = pool_grow(&pool, first, 200);
  hold(grown, 200);
  pool_free(&pool, stored);
  let_go(stored);
  pthread_t thread;
  pthread_create(&thread, NULL, work, &pool);
  pthread_join(thread, NULL);
  tell(2);
  if (fork() == 0) {
    asks_pool(&pool, 999);
    _exit(0);
  }
  wait(NULL);
  free(asks_checked(64));
  asks_checked(65);
  return 0;
}
