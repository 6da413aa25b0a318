// The other files of /proc/self agree with what system calls say.
#include <sys/resource.h>

#include "check.h"

static char text[65536];

static size_t slurp(const char* path) {
  const int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  size_t size = 0;
  for (;;) {
    const ssize_t n = read(fd, text + size, sizeof text - 1 - size);
    CHECK(n >= 0);
    if (n == 0) break;
    size += (size_t)n;
  }
  text[size] = '\0';
  close(fd);
  return size;
}

static const char* status_value(const char* name) {
  char key[64];
  snprintf(key, sizeof key, "\n%s:\t", name);
  const char* found = strstr(text, key);
  CHECK(found != NULL);
  return found + strlen(key);
}

static void handler(int number, siginfo_t* info, void* context) {}

static char** argv;
extern char** environ;

static void command_line_and_environment(void) {
  size_t size = slurp("/proc/self/cmdline");
  CHECK_EQ(strcmp(text, argv[0]), 0);
  CHECK_EQ(size, strlen(argv[0]) + 1);
  size = slurp("/proc/self/environ");
  if (environ[0] != NULL) CHECK_EQ(strcmp(text, environ[0]), 0);
}

static void name_of_the_task(void) {
  const char* name = strrchr(argv[0], '/');
  name = name == NULL ? argv[0] : name + 1;
  slurp("/proc/self/comm");
  CHECK_EQ(strncmp(text, name, 15), 0);
}

static void status_of_signals_and_memory(void) {
  change_mask(SIG_BLOCK, SIGUSR2);
  on_signal(SIGUSR1, handler, 0);
  signal(SIGHUP, SIG_IGN);
  raise(SIGUSR2);
  slurp("/proc/self/status");
  CHECK_EQ(strncmp(text, "Name:\t", 6), 0);
  CHECK_EQ(atoi(status_value("Pid")), getpid());
  CHECK_EQ(atoi(status_value("Tgid")), getpid());
  CHECK_EQ(atoi(status_value("PPid")), getppid());
  CHECK_EQ(atoi(status_value("Threads")), 1);
  CHECK_EQ(atoi(status_value("TracerPid")), 0);
  CHECK_EQ(*status_value("State"), 'R');
  CHECK_EQ(strtoul(status_value("SigBlk"), NULL, 16), 1ul << (SIGUSR2 - 1));
  CHECK_EQ(strtoul(status_value("SigPnd"), NULL, 16) | strtoul(status_value("ShdPnd"), NULL, 16),
           1ul << (SIGUSR2 - 1));
  CHECK((strtoul(status_value("SigIgn"), NULL, 16) & 1ul << (SIGHUP - 1)) != 0);
  CHECK((strtoul(status_value("SigCgt"), NULL, 16) & 1ul << (SIGUSR1 - 1)) != 0);
  CHECK(atol(status_value("VmSize")) > 500 && atol(status_value("VmSize")) < 1 << 20);
  CHECK(atol(status_value("VmStk")) > 50);
}

static void stat_line(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", getpid());
  slurp(path);
  CHECK_EQ(atoi(text), getpid());
  const char* after = strrchr(text, ')') + 2;
  char state;
  int parent, group, session;
  CHECK_EQ(sscanf(after, "%c %d %d %d", &state, &parent, &group, &session), 4);
  CHECK_EQ(state, 'R');
  CHECK_EQ(parent, getppid());
  CHECK_EQ(group, getpgrp());
  CHECK_EQ(session, getsid(0));
  int fields = 2;
  for (const char* p = after; *p != '\0'; ++p) fields += *p == ' ' || *p == '\n';
  CHECK_EQ(fields, 52);
}

static void sizes_in_pages(void) {
  slurp("/proc/self/statm");
  CHECK(atol(text) > 100 && atol(text) < 1 << 18);
}

static void table_of_limits(void) {
  struct rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  slurp("/proc/self/limits");
  const char* row = strstr(text, "Max open files");
  CHECK(row != NULL);
  CHECK_EQ(strtoul(row + 26, NULL, 10), limit.rlim_cur);
  CHECK_EQ(strtoul(row + 47, NULL, 10), limit.rlim_max);
}

static void file_is_read_in_pieces(void) {
  // A file of /proc can be read in pieces and rewound.
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  char first[20], again[20];
  CHECK_EQ(read(fd, first, 20), 20);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(read(fd, again, 20), 20);
  CHECK_EQ(memcmp(first, again, 20), 0);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

int main(int count, char** values) {
  argv = values;
  RUN(command_line_and_environment);
  RUN(name_of_the_task);
  RUN(status_of_signals_and_memory);
  RUN(stat_line);
  RUN(sizes_in_pages);
  RUN(table_of_limits);
  RUN(file_is_read_in_pieces);
  return 0;
}
