// malloc at work, in one way for each argument. What it says is written without malloc's help; "seen" lines
// number the calls of seen().
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

NOINLINE void seen(int point) { __asm__ volatile("" : : "r"(point) : "memory"); }

static void say(const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (write(1, line, length) != length) abort();
}

static void tell(int point) {
  const struct mallinfo2 info = mallinfo2();
  say("mallinfo %zu %zu %zu %zu %zu %zu %zu %zu\n", info.arena, info.ordblks, info.smblks, info.hblks,
      info.hblkhd, info.fsmblks, info.uordblks, info.fordblks);
  say("seen %d\n", point);
  seen(point);
}

// Rss of the mappings of a kind, in KiB, without malloc.
static void tell_rss(void) {
  static char text[1 << 16];
  const int fd = open("/proc/self/smaps", O_RDONLY);
  size_t length = 0;
  for (ssize_t got; (got = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += got;
  close(fd);
  text[length] = 0;
  char* heap = strstr(text, "[heap]");
  char* const rss = heap == NULL ? NULL : strstr(heap, "Rss:");
  say("rss %d\n", rss == NULL ? 0 : atoi(rss + 4));
}

static NOINLINE void* keep(size_t size) { return memset(malloc(size), 1, size); }

// --- growth ---

static void grow(void) {
  void* blocks[300];
  for (int i = 0; i < 300; ++i) blocks[i] = keep(2000);
  char* large = keep(300 << 10);
  large = realloc(large, 900 << 10);
  memset(large, 2, 900 << 10);
  say("point held\n");
  seen(1);
  free(large);
  for (int i = 299; i >= 0; --i) free(blocks[i]);
  malloc_trim(0);
  seen(2);
}

// --- chunks ---

static pthread_barrier_t barrier;

static void* work(void* number) {
  void* blocks[40];
  for (int i = 0; i < 40; ++i) blocks[i] = keep(100 + 200 * (i % 5) + (size_t)number);
  for (int i = 0; i < 40; i += 2) free(blocks[i]);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return NULL;
}

static void chunks(void) {
  void* small[40];
  void* middle[20];
  for (int i = 0; i < 40; ++i) small[i] = keep(24);
  for (int i = 0; i < 20; ++i) middle[i] = keep(1100 + 64 * i);
  keep(200 << 10);
  tell(1);
  for (int i = 0; i < 12; ++i) free(small[i]);      // a full cache, and fast bins
  for (int i = 0; i < 20; i += 2) free(middle[i]);  // unsorted
  tell(2);
  keep(30000);  // sorts them
  free(middle[1]);
  tell(3);
  pthread_t threads[3];
  pthread_barrier_init(&barrier, NULL, 4);
  for (size_t i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, work, (void*)(i * 16));
  pthread_barrier_wait(&barrier);
  tell(4);
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
}

static NOINLINE void overflow(char* block, size_t size) { memset(block, 'A', size + 16); }

static void corrupt(void) {
  char* const first = keep(40);
  char* const second = keep(56);
  keep(72);
  say("corrupted %p %p\n", first, second);
  overflow(first, 40);
  seen(1);
}

// --- holes ---

static void holes(void) {
  static void* blocks[10000];
  for (int i = 0; i < 10000; ++i) blocks[i] = keep(100);
  for (int i = 0; i < 10000; ++i)
    if (i % 4 != 0) free(blocks[i]);
  tell_rss();
  tell(1);
}

// --- forks ---

static NOINLINE void* of_parent(size_t size) { return keep(size); }
static NOINLINE void* of_child(size_t size) { return keep(size); }
static NOINLINE void* of_grandchild(size_t size) { return keep(size); }

static void live(const void* block, size_t size) { say("live %p %zu\n", block, size); }

static void forks(void) {
  void* const kept = of_parent(1001);
  void* const freed = of_parent(1002);
  void* const grown = of_parent(1003);
  if (fork() == 0) {
    free(freed);
    void* const larger = realloc(grown, 50000);
    void* const own = of_child(2001);
    if (fork() == 0) {
      free(kept);
      void* const last = of_grandchild(3001);
      live(larger, 50000), live(own, 2001), live(last, 3001);
      say("seen 3\n");
      seen(3);
      _exit(0);
    }
    wait(NULL);
    live(kept, 1001), live(larger, 50000), live(own, 2001);
    say("seen 2\n");
    seen(2);
    _exit(0);
  }
  of_parent(1004);
  wait(NULL);
  live(kept, 1001), live(freed, 1002), live(grown, 1003);
  say("seen 1\n");
  seen(1);
}

// --- addresses ---

static void addresses(void) {
  char* const block = keep(24);
  say("block %p\n", block);
  seen(1);
  free(block);
  seen(2);
}

int main(int argc, char** argv) {
  const char* const way = argc > 1 ? argv[1] : "";
  say("begin\n");
  if (strcmp(way, "grow") == 0) grow();
  if (strcmp(way, "chunks") == 0) chunks();
  if (strcmp(way, "corrupt") == 0) corrupt();
  if (strcmp(way, "holes") == 0) holes();
  if (strcmp(way, "forks") == 0) forks();
  if (strcmp(way, "addresses") == 0) addresses();
  say("end\n");
  _exit(0);
}
