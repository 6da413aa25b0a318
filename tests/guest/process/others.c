// no-seed: the ids in /proc/PID/stat of another process are the host's
// What /proc shows of the program's other processes and of its threads: what ps, top, pgrep and pstree read.
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

static char text[1 << 16];
static long read_file(const char* format, int pid, int task) {
  char path[96];
  snprintf(path, sizeof path, format, pid, task);
  const int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  long size = 0;
  for (long count; (count = read(fd, text + size, sizeof text - 1 - (size_t)size)) > 0;) size += count;
  close(fd);
  text[size] = '\0';
  return size;
}

// --- another process ---

static char own_path[4096];
static int hold[2], told[2];

/// Executes this program anew, with words of its own, and waits until it says that it is there.
static pid_t start_other(void) {
  CHECK_EQ(pipe(hold), 0);
  CHECK_EQ(pipe(told), 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char in[16], out[16];
    snprintf(in, sizeof in, "%d", hold[0]);
    snprintf(out, sizeof out, "%d", told[1]);
    close(hold[1]);
    char* const arguments[] = {"a name of its own", "wait", in, out, NULL};
    char* const environment[] = {"COLOUR=green", "EMPTY=", NULL};
    execve(own_path, arguments, environment);
    _exit(1);
  }
  char byte;
  CHECK_EQ(read(told[0], &byte, 1), 1);
  return child;
}

static int be_other(char** arguments) {
  prctl(PR_SET_NAME, "renamed");
  CHECK_EQ(write(atoi(arguments[3]), "x", 1), 1);
  char byte;
  (void)!read(atoi(arguments[2]), &byte, 1);
  return 0;
}

static pid_t other;
static void others_words(void) {
  char wanted[64];
  const int count =
      snprintf(wanted, sizeof wanted, "a name of its own%cwait%c%d%c%d", 0, 0, hold[0], 0, told[1]) + 1;
  CHECK_EQ(read_file("/proc/%d/cmdline", other, 0), count);
  CHECK_EQ(memcmp(text, wanted, (size_t)count), 0);
}

static void others_environment(void) {
  static const char kWanted[] = "COLOUR=green\0EMPTY=";
  CHECK_EQ(read_file("/proc/%d/environ", other, 0), (long)sizeof kWanted);
  CHECK_EQ(memcmp(text, kWanted, sizeof kWanted), 0);
}

static void others_name(void) {
  read_file("/proc/%d/comm", other, 0);
  CHECK_EQ(strcmp(text, "renamed\n"), 0);
  read_file("/proc/%d/stat", other, 0);
  int pid = 0, parent = 0;
  char state;
  CHECK_EQ(sscanf(text, "%d (renamed) %c %d ", &pid, &state, &parent), 3);
  CHECK_EQ(pid, other);
  CHECK_EQ(parent, getpid());
  read_file("/proc/%d/status", other, 0);
  CHECK(strncmp(text, "Name:\trenamed\n", 14) == 0);
}

static void others_program(void) {
  char path[64], target[4096];
  snprintf(path, sizeof path, "/proc/%d/exe", other);
  const long count = readlink(path, target, sizeof target);
  CHECK_EQ(count, (long)strlen(own_path));
  CHECK_EQ(memcmp(target, own_path, (size_t)count), 0);
  struct stat by_link, by_path;
  CHECK_EQ(stat(path, &by_link), 0);
  CHECK_EQ(stat(own_path, &by_path), 0);
  CHECK_EQ(by_link.st_ino, by_path.st_ino);
  const int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  char magic[4];
  CHECK_EQ(read(fd, magic, 4), 4);
  CHECK_EQ(memcmp(magic, "\177ELF", 4), 0);
  close(fd);
}

static void others_vector(void) {
  const long size = read_file("/proc/%d/auxv", other, 0);
  unsigned long entry[2] = {0, 0};
  int found = 0;
  for (long at = 0; at + 16 <= size; at += 16) {
    memcpy(entry, text + at, sizeof entry);
    found |= entry[0] == AT_PAGESZ && entry[1] == 4096;
  }
  CHECK(found);
}

/// A fork shows its parent's words until it executes.
static void of_a_fork(void) {
  static char own[sizeof text];
  const long size = read_file("/proc/%d/cmdline", getpid(), 0);
  memcpy(own, text, sizeof own);
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    close(ends[1]);
    (void)!read(ends[0], &byte, 1);
    _exit(0);
  }
  CHECK_EQ(read_file("/proc/%d/cmdline", child, 0), size);
  CHECK_EQ(memcmp(text, own, (size_t)size), 0);
  close(ends[1]);
  close(ends[0]);
  CHECK_EQ(waitpid(child, NULL, 0), child);
}

// --- threads ---

static volatile int threads_ready, threads_end;
static volatile pid_t tids[2];
static void* named(void* index) {
  const long i = (long)index;
  char name[16];
  snprintf(name, sizeof name, "thread %ld", i);
  prctl(PR_SET_NAME, name);
  tids[i] = (pid_t)syscall(SYS_gettid);
  __atomic_add_fetch(&threads_ready, 1, __ATOMIC_SEQ_CST);
  while (!threads_end) usleep(2000);
  return NULL;
}

static void threads_are_listed(void) {
  for (int round = 0; round < 2; ++round) {
    DIR* const directory = opendir(round == 0 ? "/proc/self/task" : "/proc/thread-self/../../task");
    CHECK(directory != NULL);
    int seen = 0;
    for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
      const int tid = atoi(entry->d_name);
      if (tid == getpid()) seen |= 1;
      if (tid == tids[0]) seen |= 2;
      if (tid == tids[1]) seen |= 4;
      if (tid != 0) seen += 8;
    }
    CHECK_EQ(seen, 7 + 3 * 8);
    rewinddir(directory);
    CHECK(readdir(directory) != NULL);
    closedir(directory);
  }
}

static void threads_have_files(void) {
  for (int i = 0; i < 2; ++i) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "thread %d\n", i);
    read_file("/proc/%d/task/%d/comm", getpid(), tids[i]);
    CHECK_EQ(strcmp(text, wanted), 0);
    snprintf(wanted, sizeof wanted, "%d (thread %d) ", tids[i], i);
    read_file("/proc/self/task/%2$d/stat", 0, tids[i]);
    CHECK_EQ(strncmp(text, wanted, strlen(wanted)), 0);
    read_file("/proc/%d/task/%d/status", getpid(), tids[i]);
    snprintf(wanted, sizeof wanted, "\nTgid:\t%d\n", getpid());
    CHECK(strstr(text, wanted) != NULL);
    snprintf(wanted, sizeof wanted, "\nPid:\t%d\n", tids[i]);
    CHECK(strstr(text, wanted) != NULL);
    snprintf(wanted, sizeof wanted, "\nThreads:\t3\n");
    CHECK(strstr(text, wanted) != NULL);
    struct stat status;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", tids[i]);
    CHECK_EQ(stat(path, &status), 0);
    CHECK(S_ISDIR(status.st_mode));
  }
  read_file("/proc/%d/comm", getpid(), 0);
  CHECK(strncmp(text, "thread", 6) != 0);
  CHECK_ERRNO(open("/proc/self/task/999999999", O_RDONLY), ENOENT);
}

static void another_thread_is_renamed(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", tids[0]);
  const int fd = open(path, O_WRONLY);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, "thread 0", 8), 8);
  close(fd);
  read_file("/proc/%d/task/%d/comm", getpid(), tids[0]);
  CHECK_EQ(strcmp(text, "thread 0\n"), 0);
}

static void a_thread_sees_itself(void) {
  char target[64], wanted[64];
  const long count = readlink("/proc/thread-self", target, sizeof target);
  CHECK_EQ(count, snprintf(wanted, sizeof wanted, "%d/task/%d", getpid(), getpid()));
  CHECK_EQ(memcmp(target, wanted, (size_t)count), 0);
}

static void children_are_listed(void) {
  read_file("/proc/%d/task/%d/children", getpid(), getpid());
  char wanted[64];
  snprintf(wanted, sizeof wanted, "%d ", other);
  CHECK(strstr(text, wanted) != NULL);
}

int main(int count, char** arguments) {
  if (count > 1 && strcmp(arguments[1], "wait") == 0) return be_other(arguments);
  const long length = readlink("/proc/self/exe", own_path, sizeof own_path - 1);
  CHECK(length > 0);
  other = start_other();
  RUN(others_words);
  RUN(others_environment);
  RUN(others_name);
  RUN(others_program);
  RUN(others_vector);
  RUN(children_are_listed);
  RUN(of_a_fork);
  close(hold[1]);
  CHECK_EQ(waitpid(other, NULL, 0), other);
  pthread_t threads[2];
  for (long i = 0; i < 2; ++i) CHECK_EQ(pthread_create(&threads[i], NULL, named, (void*)i), 0);
  while (threads_ready != 2) sched_yield();
  RUN(threads_are_listed);
  RUN(threads_have_files);
  RUN(another_thread_is_renamed);
  RUN(a_thread_sees_itself);
  threads_end = 1;
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  return 0;
}
