// no-seed: the ids in /proc/PID/stat of another process are the host's
// What /proc shows of the program's other processes and of its threads: what ps, top, pgrep and pstree read.
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"

static char text[1 << 18];
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
  void* volatile block = malloc(100);  // there is a heap
  free(block);
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

/// The address in a line of maps that has both words; 0: there is none.
static unsigned long line_with(const char* permissions, const char* name) {
  for (char* line = text; *line != '\0';) {
    char* const end = strchr(line, '\n');
    CHECK(end != NULL);
    *end = '\0';
    const int found = strstr(line, permissions) != NULL && strlen(line) >= strlen(name) &&
                      strcmp(line + strlen(line) - strlen(name), name) == 0;
    const unsigned long address = strtoul(line, NULL, 16);
    *end = '\n';
    if (found) return address;
    line = end + 1;
  }
  return 0;
}

static void others_map(void) {
  read_file("/proc/%d/maps", other, 0);
  CHECK(line_with(" r-xp ", own_path) != 0);
  CHECK(line_with(" rw-p ", "[stack]") != 0);
  CHECK(line_with(" rw-p ", "[heap]") != 0);
  CHECK(strstr(text, "orrery") == NULL);
  CHECK(strstr(text, " ---p ") == NULL || strstr(text, "60000000-") == NULL);
  read_file("/proc/%d/smaps", other, 0);
  CHECK(strstr(text, "[stack]\nSize:") != NULL);
  CHECK(strstr(text, "orrery") == NULL);
  read_file("/proc/%d/smaps_rollup", other, 0);
  CHECK(strstr(text, "[rollup]\nRss:") != NULL);
}

static long status_figure(const char* name) {
  const char* const line = strstr(text, name);
  CHECK(line != NULL);
  return strtol(line + strlen(name), NULL, 10);
}

/// What it has mapped in all, as its maps, its status, its stat and its statm tell.
static void others_sizes(void) {
  unsigned long mapped = 0, start = 0, end = 0;
  read_file("/proc/%d/maps", other, 0);
  for (char* line = text; sscanf(line, "%lx-%lx ", &start, &end) == 2; line = strchr(line, '\n') + 1)
    if (start < 1ul << 47) mapped += end - start;  // vsyscall is not counted
  read_file("/proc/%d/status", other, 0);
  CHECK_EQ(status_figure("\nVmSize:"), (long)(mapped >> 10));
  CHECK(status_figure("\nVmRSS:") > 100);
  CHECK(status_figure("\nVmRSS:") <= (long)(mapped >> 10));
  CHECK_EQ(status_figure("\nThreads:"), 1);
  CHECK(status_figure("\nFDSize:") <= 1024);
  CHECK(strstr(text, "\nSigCgt:\t0000000000000000\n") != NULL);
  read_file("/proc/%d/stat", other, 0);
  unsigned long size = 0;
  long resident = 0;
  CHECK_EQ(sscanf(strrchr(text, ')'),
                  ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %lu %ld",
                  &size, &resident),
           2);
  CHECK_EQ(size, mapped);
  CHECK(resident > 20 && (unsigned long)resident * 4096 <= mapped);
  read_file("/proc/%d/statm", other, 0);
  CHECK_EQ(strtoul(text, NULL, 10), mapped / 4096);
}

/// Which descriptors it has open: the first three, and the ends of the pipes that it was given.
static void others_descriptors(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", other);
  DIR* const directory = opendir(path);
  CHECK(directory != NULL);
  int in = 0, out = 0;
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    const int fd = atoi(entry->d_name);
    CHECK(fd <= told[1] || fd == hold[0] || fd < 256);
    in |= fd == hold[0];
    out |= fd == told[1];
  }
  CHECK(in && out);
  closedir(directory);
  read_file("/proc/%d/limits", other, 0);
  const char* const open_files = strstr(text, "Max open files");
  CHECK(open_files != NULL);
  struct rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  CHECK_EQ(strtoul(open_files + strlen("Max open files"), NULL, 10), limit.rlim_cur);
}

/// A fork that makes a thread and maps memory: both are seen while it sleeps.
static void* wait_for_end(void* fd) {
  char byte;
  prctl(PR_SET_NAME, "a waiter");
  (void)!read((int)(long)fd, &byte, 1);
  return NULL;
}

static void others_threads(void) {
  int ends[2], ready[2];
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    char byte;
    close(ends[1]);
    if (pthread_create(&thread, NULL, wait_for_end, (void*)(long)ends[0]) != 0) _exit(1);
    void* const memory = mmap(NULL, 77 << 12, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) _exit(2);
    usleep(20000);
    CHECK_EQ(write(ready[1], &memory, sizeof memory), sizeof memory);
    (void)!read(ends[0], &byte, 1);
    _exit(0);
  }
  void* memory;
  CHECK_EQ(read(ready[0], &memory, sizeof memory), sizeof memory);
  usleep(20000);
  char wanted[64];
  snprintf(wanted, sizeof wanted, "%08lx-%08lx r--p", (unsigned long)memory,
           (unsigned long)memory + (77 << 12));
  read_file("/proc/%d/maps", child, 0);
  CHECK(strstr(text, wanted) != NULL);
  read_file("/proc/%d/status", child, 0);
  CHECK_EQ(status_figure("\nThreads:"), 2);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", child);
  DIR* const directory = opendir(path);
  CHECK(directory != NULL);
  int count = 0, second = 0;
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    ++count;
    if (atoi(entry->d_name) != child) second = atoi(entry->d_name);
  }
  closedir(directory);
  CHECK_EQ(count, 2);
  read_file("/proc/%d/task/%d/comm", child, second);
  CHECK_EQ(strcmp(text, "a waiter\n"), 0);
  read_file("/proc/%d/task/%d/stat", child, second);
  int id = 0;
  CHECK_EQ(sscanf(text, "%d (a waiter) ", &id), 1);
  CHECK_EQ(id, second);
  close(ends[1]);
  close(ends[0]);
  CHECK_EQ(waitpid(child, NULL, 0), child);
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
  RUN(others_map);
  RUN(others_sizes);
  RUN(others_descriptors);
  RUN(children_are_listed);
  RUN(of_a_fork);
  RUN(others_threads);
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
