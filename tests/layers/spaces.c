// Memory of every kind, and what the kernel says of it at five points: /proc/self/maps, or with an argument
// /proc/self/smaps. Prints "at N" before each, and where its own things lie.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096 };
char zeros[200 * kPage];
char values[3 * kPage] = {1, 2, 3};
const char constants[2 * kPage] = "constant";
static __thread char own[100];
static const char* list;
static char *area, *shared, *file;
static pthread_barrier_t together;
static char buffer[1 << 16];  // written before anything is listed

static void copy_out(const char* path) {
  const int from = open(path, O_RDONLY);
  for (ssize_t count; (count = read(from, buffer, sizeof buffer)) > 0;)
    if (write(1, buffer, (size_t)count) != count) _exit(1);
  close(from);
}

__attribute__((noinline)) void point(int number) {
  char line[40];
  const int length = snprintf(line, sizeof line, "at %d of %d\n", number, (int)getpid());
  if (write(1, line, (size_t)length) != length) _exit(1);
  copy_out(list);
}

__attribute__((noinline)) void seen(int number) { __asm__ volatile("" : : "r"(number)); }

__attribute__((noinline)) static void map_area(void) {
  area = mmap(NULL, 100 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int page = 0; page < 100; page += 3) area[page * kPage] = 1;
}

__attribute__((noinline)) static void protect_area(void) {
  mprotect(area + 10 * kPage, 20 * kPage, PROT_READ);
}

__attribute__((noinline)) static void unmap_part(void) { munmap(area + 40 * kPage, 30 * kPage); }

__attribute__((noinline)) static void move_rest(void) {
  area = mremap(area + 70 * kPage, 30 * kPage, 300 * kPage, MREMAP_MAYMOVE);
}

__attribute__((noinline)) static void map_file(void) {
  const int from = open("/proc/self/exe", O_RDONLY);
  file = mmap(NULL, 2 * kPage, PROT_READ, MAP_PRIVATE, from, 0);
  shared = mmap(NULL, 5 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  close(from);
}

__attribute__((noinline)) static void grow_heap(void) {
  for (int block = 0; block < 50; ++block) memset(malloc(20000), 1, 15000);
}

static void* run(void* argument) {
  char room[6 * kPage];
  memset(room, 1, sizeof room);
  own[0] = room[5];
  pthread_barrier_wait(&together);
  pthread_barrier_wait(&together);
  return argument;
}

int main(int count, char** words) {
  (void)words;
  list = count > 1 ? "/proc/self/smaps" : "/proc/self/maps";
  memset(buffer, 1, sizeof buffer);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  getppid();
  for (int page = 0; page < 200; page += 5) zeros[page * kPage + 9] = 1;
  values[kPage] = constants[5];
  point(1), seen(1);
  map_area();
  protect_area();
  unmap_part();
  move_rest();
  map_file();
  grow_heap();
  point(2), seen(2);
  pthread_t threads[2];
  pthread_barrier_init(&together, NULL, 3);
  for (int each = 0; each < 2; ++each) pthread_create(&threads[each], NULL, run, NULL);
  pthread_barrier_wait(&together);
  point(3), seen(3);
  pthread_barrier_wait(&together);
  for (int each = 0; each < 2; ++each) pthread_join(threads[each], NULL);
  const pid_t child = fork();
  if (child == 0) {
    munmap(shared, 5 * kPage);
    mmap(area, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    point(4), seen(4);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  point(5), seen(5);
  return 0;
}
