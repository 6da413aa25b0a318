// Files that processes map by themselves, without having inherited the mapping: what one stores or writes
// there another sees, whoever opened it first and however.
#include <linux/openat2.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "check.h"

static char path[64];

static void make_file(size_t bytes) {
  strcpy(path, "/tmp/orrery-shared-XXXXXX");
  const int fd = mkstemp(path);
  CHECK(fd >= 0);
  CHECK_EQ(ftruncate(fd, (off_t)bytes), 0);
  close(fd);
}

/// 0 on failure: also called in children, which cannot CHECK.
static void* map_file(int open_flags, int protection) {
  const int fd = open(path, open_flags);
  if (fd < 0) return NULL;
  void* const memory = mmap(NULL, 8192, protection, MAP_SHARED, fd, 0);
  close(fd);
  return memory == MAP_FAILED ? NULL : memory;
}

/// A child is let go, and waited for, by bytes in pipes: the file has no part in it.
static int to_child[2], to_parent[2];

static void open_pipes(void) {
  CHECK_EQ(pipe(to_child), 0);
  CHECK_EQ(pipe(to_parent), 0);
}

static int await_byte(int fd) {
  char byte;
  return read(fd, &byte, 1) == 1;
}

static void send_byte(int fd) {
  if (write(fd, "x", 1) != 1) _exit(90);
}

static void close_pipes(void) {
  for (int i = 0; i < 2; ++i) {
    close(to_child[i]);
    close(to_parent[i]);
  }
}

static void wait_well(void) {
  int status;
  CHECK(wait(&status) > 0);
  CHECK_EQ(status, 0);
}

static void both_map_by_name(void) {
  make_file(8192);
  open_pipes();
  if (fork() == 0) {
    if (!await_byte(to_child[0])) _exit(1);
    atomic_int* const word = map_file(O_RDWR, PROT_READ | PROT_WRITE);
    if (word == NULL || word[0] != 7) _exit(2);
    word[1] = 8;
    send_byte(to_parent[1]);
    while (atomic_load(&word[2]) != 9) {
    }
    _exit(word[0] == 7 ? 0 : 3);
  }
  atomic_int* const word = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  CHECK(word != NULL);
  word[0] = 7;
  send_byte(to_child[1]);
  CHECK(await_byte(to_parent[0]));
  CHECK_EQ(word[1], 8);
  atomic_store(&word[2], 9);
  wait_well();
  munmap(word, 8192);
  close_pipes();
  unlink(path);
}

static void counting_together(void) {
  make_file(8192);
  for (int child = 0; child < 3; ++child) {
    if (fork() != 0) continue;
    atomic_int* const count = map_file(O_RDWR, PROT_READ | PROT_WRITE);
    if (count == NULL) _exit(1);
    for (int i = 0; i < 20000; ++i) atomic_fetch_add(count, 1);
    _exit(0);
  }
  for (int child = 0; child < 3; ++child) wait_well();
  atomic_int* const count = map_file(O_RDONLY, PROT_READ);
  CHECK(count != NULL);
  CHECK_EQ(*count, 60000);
  munmap(count, 8192);
  unlink(path);
}

static void reader_without_the_right_to_write(void) {
  make_file(8192);
  open_pipes();
  if (fork() == 0) {
    if (!await_byte(to_child[0])) _exit(1);
    atomic_int* const word = map_file(O_RDONLY, PROT_READ);
    if (word == NULL) _exit(2);
    send_byte(to_parent[1]);
    while (atomic_load(word) != 5) {
    }
    _exit(0);
  }
  atomic_int* const word = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  CHECK(word != NULL);
  send_byte(to_child[1]);
  CHECK(await_byte(to_parent[0]));
  atomic_store(word, 5);
  wait_well();
  munmap(word, 8192);
  close_pipes();
  unlink(path);
}

static void written_by_a_process_that_does_not_map(void) {
  make_file(8192);
  open_pipes();
  if (fork() == 0) {
    if (!await_byte(to_child[0])) _exit(1);
    const int fd = open(path, O_WRONLY);
    if (pwrite(fd, "other", 5, 4096) != 5) _exit(2);
    send_byte(to_parent[1]);
    if (!await_byte(to_child[0])) _exit(3);
    if (pwrite(fd, "again", 5, 4096) != 5) _exit(4);
    _exit(0);
  }
  char* const text = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  CHECK(text != NULL);
  memcpy(text, "mine", 4);
  send_byte(to_child[1]);
  CHECK(await_byte(to_parent[0]));
  CHECK_EQ(memcmp(text, "mine", 4), 0);
  CHECK_EQ(memcmp(text + 4096, "other", 5), 0);
  send_byte(to_child[1]);
  wait_well();
  CHECK_EQ(memcmp(text + 4096, "again", 5), 0);
  munmap(text, 8192);
  close_pipes();
  unlink(path);
}

/// The second file may well get the first one's inode.
static void one_file_after_another(void) {
  for (int round = 0; round < 3; ++round) {
    make_file(8192);
    int* const mine = map_file(O_RDWR, PROT_READ | PROT_WRITE);
    CHECK(mine != NULL);
    CHECK_EQ(mine[0], 0);
    mine[0] = round + 1;
    if (fork() == 0) {
      int* const word = map_file(O_RDWR, PROT_READ | PROT_WRITE);
      if (word == NULL || word[0] != round + 1) _exit(1);
      word[1] = 4;
      _exit(0);
    }
    wait_well();
    CHECK_EQ(mine[1], 4);
    munmap(mine, 8192);
    unlink(path);
  }
}

static void shared_memory_object(void) {
  char name[32];
  snprintf(name, sizeof name, "/orrery-%d", getpid());
  open_pipes();
  if (fork() == 0) {
    if (!await_byte(to_child[0])) _exit(1);
    const int fd = shm_open(name, O_RDWR, 0);
    atomic_int* const word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || word == MAP_FAILED) _exit(2);
    for (int i = 1; i < 100; i += 2) {
      while (atomic_load(word) != i) {
      }
      atomic_store(word, i + 1);
    }
    _exit(0);
  }
  const int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  CHECK_EQ(ftruncate(fd, 4096), 0);
  atomic_int* const word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(word != MAP_FAILED);
  send_byte(to_child[1]);
  for (int i = 0; i < 100; i += 2) {
    while (atomic_load(word) != i) {
    }
    atomic_store(word, i + 1);
  }
  wait_well();
  CHECK_EQ(*word, 100);
  munmap(word, 4096);
  close(fd);
  shm_unlink(name);
  close_pipes();
}

static void shortened_by_another(void) {
  make_file(8192);
  open_pipes();
  if (fork() == 0) {
    if (!await_byte(to_child[0])) _exit(1);
    const int fd = open(path, O_RDWR | O_TRUNC);
    if (fd < 0 || write(fd, "new", 3) != 3) _exit(2);
    _exit(0);
  }
  char* const text = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  CHECK(text != NULL);
  memcpy(text, "old text", 8);
  send_byte(to_child[1]);
  wait_well();
  CHECK_EQ(memcmp(text, "new\0\0\0\0\0", 8), 0);
  munmap(text, 8192);
  close_pipes();
  unlink(path);
}

static void shortened_by_its_path(void) {
  make_file(8192);
  open_pipes();
  if (fork() == 0) {
    if (!await_byte(to_child[0])) _exit(1);
    if (truncate(path, 4) != 0 || truncate(path, 8192) != 0) _exit(2);
    _exit(0);
  }
  char* const text = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  CHECK(text != NULL);
  memcpy(text, "old text", 8);
  send_byte(to_child[1]);
  wait_well();
  CHECK_EQ(memcmp(text, "old \0\0\0\0", 8), 0);
  munmap(text, 8192);
  close_pipes();
  unlink(path);
}

static void written_after_a_refused_mapping(void) {
  make_file(8192);
  open_pipes();
  if (fork() == 0) {
    if (!await_byte(to_child[0])) _exit(1);
    const int fd = open(path, O_WRONLY);
    if (mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED || errno != EACCES)
      _exit(2);
    if (pwrite(fd, "instead", 7, 0) != 7) _exit(3);
    _exit(0);
  }
  char* const text = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  CHECK(text != NULL);
  text[0] = 'x';
  send_byte(to_child[1]);
  wait_well();
  CHECK_EQ(memcmp(text, "instead", 7), 0);
  munmap(text, 8192);
  close_pipes();
  unlink(path);
}

static void shortened_by_openat2(void) {
  make_file(8192);
  open_pipes();
  if (fork() == 0) {
    if (!await_byte(to_child[0])) _exit(1);
    struct open_how how = {.flags = O_RDWR | O_TRUNC};
    const long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (fd < 0 || ftruncate((int)fd, 8192) != 0) _exit(2);
    if (syscall(SYS_openat2, AT_FDCWD, path, NULL, sizeof how) != -1 || errno != EFAULT) _exit(3);
    _exit(0);
  }
  char* const text = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  CHECK(text != NULL);
  memcpy(text, "old text", 8);
  send_byte(to_child[1]);
  wait_well();
  CHECK_EQ(memcmp(text, "\0\0\0\0\0\0\0\0", 8), 0);
  munmap(text, 8192);
  close_pipes();
  unlink(path);
}

/// Each is the first to map a file, and then both want the other's.
static void each_wants_the_others(void) {
  char first[64], second[64];
  make_file(8192);
  strcpy(first, path);
  make_file(8192);
  strcpy(second, path);
  open_pipes();
  const int is_child = fork() == 0;
  strcpy(path, is_child ? first : second);
  atomic_int* const mine = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  send_byte(is_child ? to_parent[1] : to_child[1]);
  if (mine == NULL || !await_byte(is_child ? to_child[0] : to_parent[0])) _exit(91);
  strcpy(path, is_child ? second : first);
  atomic_int* const other = map_file(O_RDWR, PROT_READ | PROT_WRITE);
  if (other == NULL) _exit(92);
  for (int i = 0; i < 200; ++i) {
    atomic_fetch_add(mine, 1);
    while (atomic_load(other) < i + 1) {
    }
  }
  if (is_child) _exit(0);
  wait_well();
  munmap(mine, 8192);
  munmap(other, 8192);
  close_pipes();
  unlink(first);
  unlink(second);
}

enum { kBig = 10 << 20 };

static void write_big(int fd, const char* bytes) {
  if (!await_byte(to_child[0])) _exit(1);
  if (pwrite(fd, bytes, kBig, 0) != kBig) _exit(2);
  send_byte(to_parent[1]);
  _exit(0);
}

/// The write is under way when the file is first mapped, or it is not: after it all of it is seen.
static void first_mapped_while_it_is_written(void) {
  char* const bytes = malloc(kBig);
  memset(bytes, 'w', kBig);
  for (int round = 0; round < 5; ++round) {
    make_file(kBig);
    open_pipes();
    const int fd = open(path, O_RDWR);
    if (fork() == 0) write_big(fd, bytes);
    send_byte(to_child[1]);
    usleep(500 << round);
    char* const memory = mmap(NULL, kBig, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(memory != MAP_FAILED);
    CHECK(await_byte(to_parent[0]));
    CHECK_EQ(memcmp(memory, bytes, kBig), 0);
    wait_well();
    munmap(memory, kBig);
    close(fd);
    close_pipes();
    unlink(path);
  }
  free(bytes);
}

int main(void) {
  RUN(both_map_by_name);
  RUN(counting_together);
  RUN(reader_without_the_right_to_write);
  RUN(written_by_a_process_that_does_not_map);
  RUN(one_file_after_another);
  RUN(shared_memory_object);
  RUN(shortened_by_another);
  RUN(shortened_by_its_path);
  RUN(written_after_a_refused_mapping);
  RUN(shortened_by_openat2);
  RUN(each_wants_the_others);
  RUN(first_mapped_while_it_is_written);
  return 0;
}
