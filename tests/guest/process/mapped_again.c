// Files that are mapped, unmapped and mapped again: more of them than a process could have at once, and with
// others looking at them who stay.
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "check.h"

enum { kPageBytes = 4096, kMany = 400 };

static int make_memory_file(void) {
  const int fd = memfd_create("memory", MFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK_EQ(ftruncate(fd, kPageBytes), 0);
  return fd;
}

static int make_named_file(void) {
  const int fd = open("named", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  CHECK_EQ(ftruncate(fd, kPageBytes), 0);
  return fd;
}

static int open_to_read(int fd) {
  char name[32];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  const int again = open(name, O_RDONLY | O_CLOEXEC);
  CHECK(again >= 0);
  return again;
}

static atomic_int* map(int fd, int protection) {
  atomic_int* words = mmap(NULL, kPageBytes, protection, MAP_SHARED, fd, 0);
  CHECK(words != MAP_FAILED);
  return words;
}

static void unmap(atomic_int* words) { CHECK_EQ(munmap(words, kPageBytes), 0); }

/// Stores a number through a mapping that lives no longer.
static void put(int fd, int number) {
  atomic_int* words = map(fd, PROT_READ | PROT_WRITE);
  atomic_store(words, number);
  unmap(words);
}

static int get_private(int fd) {
  int* words = mmap(NULL, kPageBytes, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(words != MAP_FAILED);
  const int number = words[0];
  CHECK_EQ(munmap(words, kPageBytes), 0);
  return number;
}

static void wait_for(atomic_int* word, int number) {
  while (atomic_load(word) != number) sched_yield();
}

static void end_of(pid_t child) {
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

static void one_after_another(void) {
  for (int i = 0; i < kMany; ++i) {
    const int fd = make_memory_file();
    put(fd, i);
    int number = -1;
    CHECK_EQ(pread(fd, &number, sizeof number, 0), sizeof number);
    CHECK_EQ(number, i);
    CHECK_EQ(close(fd), 0);
  }
}

static void one_again_and_again(void) {
  const int fd = make_memory_file();
  for (int i = 1; i <= 20; ++i) {
    put(fd, i);
    CHECK_EQ(get_private(fd), i);
    const int other = -i;
    CHECK_EQ(pwrite(fd, &other, sizeof other, 0), sizeof other);
    CHECK_EQ(get_private(fd), -i);
    atomic_int* words = map(fd, PROT_READ | PROT_WRITE);
    CHECK_EQ(*words, -i);
    unmap(words);
  }
  close(fd);
}

static void another_lies_over_it(void) {
  for (int i = 0; i < kMany; ++i) {
    const int fd = make_memory_file();
    static atomic_int* place;
    void* at = mmap(place, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | (place ? MAP_FIXED : 0), fd, 0);
    CHECK(at != MAP_FAILED);
    place = at;
    atomic_store(place, i);
    CHECK_EQ(get_private(fd), i);
    close(fd);
  }
}

static void moved_and_in_pieces(void) {
  for (int i = 0; i < kMany; ++i) {
    const int fd = make_memory_file();
    CHECK_EQ(ftruncate(fd, 3 * kPageBytes), 0);
    char* bytes = mmap(NULL, 3 * kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(bytes != MAP_FAILED);
    CHECK_EQ(munmap(bytes + kPageBytes, kPageBytes), 0);
    char* moved = mremap(bytes, kPageBytes, 3 * kPageBytes, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED);
    CHECK_EQ(munmap(bytes + 2 * kPageBytes, kPageBytes), 0);
    moved[2 * kPageBytes] = 'm';
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, 2 * kPageBytes), 1);
    CHECK_EQ(byte, 'm');
    CHECK_EQ(munmap(moved, 3 * kPageBytes), 0);
    close(fd);
  }
}

/// A child that maps the file to read while its maker has no mapping of it sees what that stores later.
static void reader_stays(int fd, int begins_with) {
  atomic_int* ready = mmap(NULL, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const int readable = open_to_read(fd);
  const pid_t child = fork();
  if (child == 0) {
    atomic_int* words = map(readable, PROT_READ);
    CHECK_EQ(*words, begins_with);
    atomic_store(ready, 1);
    wait_for(words, 7);
    const int other = 8;  // a call changes what it looks at, too
    CHECK_EQ(pwrite(fd, &other, sizeof other, 0), sizeof other);
    CHECK_EQ(*words, 8);
    atomic_store(ready, 2);
    _exit(0);
  }
  wait_for(ready, 1);
  put(fd, 6);
  put(fd, 7);
  wait_for(ready, 2);
  atomic_int* words = map(fd, PROT_READ | PROT_WRITE);
  CHECK_EQ(*words, 8);
  unmap(words);
  end_of(child);
  CHECK_EQ(get_private(fd), 8);
  CHECK_EQ(munmap(ready, kPageBytes), 0);
  close(readable);
  close(fd);
}

static void a_reader_comes_first(void) { reader_stays(make_memory_file(), 0); }

static void a_reader_comes_between(void) {
  const int fd = make_memory_file();
  put(fd, 5);
  reader_stays(fd, 5);
}

static void a_reader_of_a_named_file_comes_between(void) {
  const int fd = make_named_file();
  put(fd, 5);
  reader_stays(fd, 5);
}

static void children_take_over(void) {
  const int fd = make_memory_file();
  for (int i = 0; i < 12; ++i) {
    atomic_int* words = i % 3 == 0 ? NULL : map(fd, PROT_READ | PROT_WRITE);
    const pid_t child = fork();
    if (child == 0) {
      if (words != NULL) unmap(words);
      words = map(fd, PROT_READ | PROT_WRITE);
      CHECK_EQ(*words, i);
      atomic_store(words, i + 1);
      _exit(0);
    }
    if (i % 3 == 1) unmap(words);
    end_of(child);
    if (i % 3 == 2) unmap(words);
  }
  CHECK_EQ(get_private(fd), 12);
  close(fd);
}

int main(void) {
  RUN(one_after_another);
  RUN(one_again_and_again);
  RUN(another_lies_over_it);
  RUN(moved_and_in_pieces);
  RUN(a_reader_comes_first);
  RUN(a_reader_comes_between);
  RUN(a_reader_of_a_named_file_comes_between);
  RUN(children_take_over);
  return 0;
}
