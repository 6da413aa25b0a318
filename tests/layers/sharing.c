// A parent and its child share memory in every way, and write some of it; at five points each says what the
// kernel tells of it in /proc/self/smaps, and which frames of memory one area has (/proc/self/pagemap).
// The arguments are two files of 16 pages that are not dirty.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096, kArea = 64, kShared = 32, kFile = 16 };
static char *area, *shared, *file_private, *file_shared, *kept_from_child, *wiped;
static char buffer[1 << 16];
static int to_parent[2], to_child[2];

static void put(const char* line) {
  if (write(1, line, strlen(line)) < 0) _exit(1);
}

__attribute__((noinline)) void seen(int number) { __asm__ volatile("" : : "r"(number)); }

/// At this instant: what comes behind seen() is for the native run alone.
__attribute__((noinline)) static void point(int number) {
  char line[80];
  seen(number);
  snprintf(line, sizeof line, "at %d of %d\n", number, (int)getpid());
  put(line);
  const int from = open("/proc/self/smaps", O_RDONLY);
  for (ssize_t count; (count = read(from, buffer, sizeof buffer)) > 0;)
    if (write(1, buffer, (size_t)count) != count) _exit(1);
  close(from);
  const int map = open("/proc/self/pagemap", O_RDONLY);
  for (int page = 0; page < kArea; ++page) {
    unsigned long entry = 0;
    if (pread(map, &entry, 8, (off_t)((unsigned long)(area + page * kPage) / kPage * 8)) != 8) entry = 0;
    snprintf(line, sizeof line, "frame %d %d %lu\n", number, page, entry & ((1UL << 55) - 1));
    put(line);
  }
  close(map);
}

__attribute__((noinline)) static void write_pages(char* at, int first, int end) {
  for (int page = first; page < end; ++page) at[page * kPage + 5] = (char)page;
}

static int sum;
__attribute__((noinline)) static void read_pages(const char* at, int first, int end) {
  for (int page = first; page < end; ++page) sum += *(volatile const char*)&at[page * kPage + 9];
}

__attribute__((noinline)) static void break_in_child(void) { write_pages(area, 0, 32); }
__attribute__((noinline)) static void break_in_parent(void) { write_pages(area, 28, 40); }
__attribute__((noinline)) static void write_file(void) { write_pages(file_private, 0, 4); }

static void tell(int end) {
  if (write(end, "x", 1) != 1) _exit(1);
}
static void await(int end) {
  char word;
  if (read(end, &word, 1) != 1) _exit(1);
}

static void child(void) {
  break_in_child();
  read_pages(shared, 0, 20);
  write_pages(shared, 20, 24);
  write_pages(file_private, 2, 6);
  read_pages(file_shared, 0, kFile);
  point(2);
  tell(to_parent[1]);
  await(to_child[0]);
  write_pages(area, 34, 44);
  point(4);
  tell(to_parent[1]);
  await(to_child[0]);
  _exit(0);
}

static char* map(int pages, int flags, int from) {
  // With a page on either side that is of no kind, so that smaps has it by itself.
  char* const room = mmap(NULL, (size_t)(pages + 2) * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mmap(room + kPage, (size_t)pages * kPage, PROT_READ | PROT_WRITE, flags | MAP_FIXED, from, 0);
}

int main(int count, char** words) {
  if (count < 3) return 2;
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  memset(buffer, 1, sizeof buffer);
  const int from = open(words[1], O_RDWR), other = open(words[2], O_RDWR);
  area = map(kArea, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  shared = map(kShared, MAP_SHARED | MAP_ANONYMOUS, -1);
  file_private = map(kFile, MAP_PRIVATE, from);
  file_shared = map(kFile, MAP_SHARED, other);
  kept_from_child = map(3, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  wiped = map(5, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  snprintf(buffer, sizeof buffer,
           "area %p %d\nshared %p %d\nfile_private %p %d\nfile_shared %p %d\nkept %p 3\nwiped %p 5\n",
           (void*)area, kArea, (void*)shared, kShared, (void*)file_private, kFile, (void*)file_shared, kFile,
           (void*)kept_from_child, (void*)wiped);
  put(buffer);
  write_pages(area, 0, 60);
  read_pages(area, 60, kArea);
  write_pages(shared, 0, 16);
  // All are touched, as the kernel maps pages around one of a file (fault-around).
  read_pages(file_private, 0, kFile);
  read_pages(file_shared, 0, kFile);
  // The kernel knows of large pieces of a file only as a whole whether they are dirty.
  write_pages(file_shared, 0, kFile);
  write_file();
  write_pages(kept_from_child, 0, 3);
  write_pages(wiped, 0, 5);
  madvise(kept_from_child, 3 * kPage, MADV_DONTFORK);
  madvise(wiped, 5 * kPage, MADV_WIPEONFORK);
  if (pipe(to_parent) != 0 || pipe(to_child) != 0) return 1;
  point(1);
  const pid_t pid = fork();
  if (pid == 0) child();
  await(to_parent[0]);
  break_in_parent();
  point(3);
  tell(to_child[1]);
  await(to_parent[0]);
  tell(to_child[1]);
  waitpid(pid, NULL, 0);
  write_pages(area, 44, 60);
  point(5);
  return 0;
}
