// Every file of /proc/self shows the program and nothing of a machine around it: each view agrees with what
// system calls say and with the other views.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "check.h"

#define PAGE 4096UL

static char text[1 << 20];

static size_t slurp_at(int directory, const char* path) {
  const int fd = openat(directory, path, O_RDONLY);
  if (fd < 0) check_failed(__FILE__, __LINE__, path, errno, 0);
  size_t size = 0;
  for (ssize_t n = 1; n > 0; size += (size_t)n) {
    n = read(fd, text + size, sizeof text - 1 - size);
    CHECK(n >= 0);
  }
  text[size] = '\0';
  close(fd);
  return size;
}
static size_t slurp(const char* path) { return slurp_at(AT_FDCWD, path); }

/// The same maps through every way that leads to them.
static void many_ways(void) {
  slurp("/proc/self/maps");
  static char maps[sizeof text];
  strcpy(maps, text);
  char path[128];
  const char* const forms[] = {"/proc/%d/maps",
                               "/proc/%d/task/%d/maps",
                               "/proc/self/task/%d/maps",
                               "/proc/thread-self/maps",
                               "//proc//self/./maps",
                               "/proc/self/../%d/maps",
                               "/proc/self/root/proc/%d/maps",
                               "/proc/./self/task/%d/../../maps"};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; ++i) {
    snprintf(path, sizeof path, forms[i], getpid(), getpid());
    slurp(path);
    if (strcmp(maps, text) != 0) check_failed(__FILE__, __LINE__, path, 0, 1);
  }
  const int self = open("/proc/self", O_PATH | O_DIRECTORY);
  slurp_at(self, "maps");
  CHECK_EQ(strcmp(maps, text), 0);
  const int proc = open("/proc", O_RDONLY | O_DIRECTORY);
  slurp_at(proc, "self/maps");
  CHECK_EQ(strcmp(maps, text), 0);
  const int root = open("/", O_RDONLY);
  slurp_at(root, "proc/self/maps");
  CHECK_EQ(strcmp(maps, text), 0);
  const int task = openat(self, "task", O_RDONLY);
  snprintf(path, sizeof path, "%d/maps", getpid());
  slurp_at(task, path);
  CHECK_EQ(strcmp(maps, text), 0);
  const int at = openat(self, "maps", O_PATH);
  snprintf(path, sizeof path, "/proc/self/fd/%d", at);
  slurp(path);
  CHECK_EQ(strcmp(maps, text), 0);
  char byte;
  CHECK_ERRNO(read(at, &byte, 1), EBADF);

  char before[4096];
  CHECK(getcwd(before, sizeof before) != NULL);
  CHECK_EQ(chdir("/proc/self"), 0);
  slurp("maps");
  CHECK_EQ(strcmp(maps, text), 0);
  slurp("task/../maps");
  CHECK_EQ(strcmp(maps, text), 0);
  CHECK_EQ(chdir("/proc"), 0);
  slurp("self/maps");
  CHECK_EQ(strcmp(maps, text), 0);
  CHECK_EQ(chdir(before), 0);
  for (int fd = at; fd >= self; --fd) close(fd);
}

/// A descriptor is a real one of /proc: its kind, its name, its file system, what it refuses.
static void is_a_proc_file(void) {
  char path[64], link[128], wanted[64];
  struct stat status, named;
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  CHECK_EQ(fstat(fd, &status), 0);
  CHECK_EQ(stat("/proc/self/maps", &named), 0);
  CHECK_EQ(status.st_mode, S_IFREG | 0444);
  CHECK_EQ(status.st_size, 0);
  CHECK_EQ(status.st_dev, named.st_dev);
  CHECK_EQ(status.st_ino, named.st_ino);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  snprintf(wanted, sizeof wanted, "/proc/%d/maps", getpid());
  const ssize_t length = readlink(path, link, sizeof link - 1);
  CHECK(length > 0);
  link[length] = '\0';
  CHECK_EQ(strcmp(link, wanted), 0);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(write(fd, "x", 1), EBADF);
  CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0, ENODEV);
  CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
  CHECK_ERRNO(lseek(fd, 0, SEEK_END), EINVAL);
  CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
  CHECK_ERRNO(open("/proc/self/maps", O_RDONLY | O_DIRECTORY), ENOTDIR);
  CHECK_ERRNO(open("/proc/self/maps", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
  CHECK_ERRNO(open("/proc/self/nothing", O_RDONLY), ENOENT);
  CHECK_ERRNO(read(fd, (void*)8, 10), EFAULT);
  close(fd);
}

/// Reading again from the start sees the state of now; going on sees the rest of what was begun.
static void is_read_anew(void) {
  const int fd = open("/proc/self/maps", O_RDONLY);
  const int copy = dup(fd);
  char first[30], again[30], whole[60];
  CHECK_EQ(pread(fd, whole, 60, 0), 60);
  CHECK_EQ(read(fd, first, 30), 30);
  CHECK_EQ(read(copy, again, 30), 30);
  CHECK_EQ(memcmp(first, whole, 30), 0);
  CHECK_EQ(memcmp(again, whole + 30, 30), 0);
  CHECK_EQ(lseek(copy, 0, SEEK_CUR), 60);
  struct iovec parts[2] = {{first, 30}, {again, 30}};
  CHECK_EQ(preadv(fd, parts, 2, 0), 60);
  CHECK_EQ(memcmp(again, whole + 30, 30), 0);
  char* page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char line[32];
  snprintf(line, sizeof line, "%lx-", (unsigned long)page);
  CHECK_EQ(mprotect(page, PAGE, PROT_NONE), 0);  // a region of its own
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  size_t size = 0;
  for (ssize_t n; (n = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += (size_t)n;
  text[size] = '\0';
  CHECK(strstr(text, line) != NULL);
  munmap(page, PAGE);
  close(copy);
  close(fd);
}

static unsigned long figure(const char* name) {
  char key[64];
  snprintf(key, sizeof key, "\n%s:", name);
  const char* found = strstr(text, key);
  if (found == NULL) check_failed(__FILE__, __LINE__, name, 0, 1);
  return strtoul(found + strlen(key), NULL, 10);
}

/// smaps has the regions of maps, and its sums are those of the roll-up and of status.
static void sizes_agree(void) {
  static char maps[sizeof text];
  enum { kBytes = 8 << 20 };
  char* touched = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(touched, 1, kBytes);
  slurp("/proc/self/maps");
  strcpy(maps, text);
  slurp("/proc/self/smaps");
  unsigned long size = 0, resident = 0, of_touched = 0;
  const char* map = maps;
  for (char* line = text; *line != '\0';) {
    char* end = strchr(line, '\n');
    const char* colon = memchr(line, ':', (size_t)(end - line));
    if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
      CHECK_EQ(strncmp(line, map, (size_t)(end - line)), 0);
      map = strchr(map, '\n') + 1;
      const unsigned long start = strtoul(line, NULL, 16), stop = strtoul(strchr(line, '-') + 1, NULL, 16);
      of_touched = (unsigned long)touched >= start && (unsigned long)touched < stop;
    } else if (strncmp(line, "Size:", 5) == 0) {
      size += strtoul(colon + 1, NULL, 10);
    } else if (strncmp(line, "Rss:", 4) == 0) {
      resident += strtoul(colon + 1, NULL, 10);
      if (of_touched) CHECK(strtoul(colon + 1, NULL, 10) >= kBytes >> 10);
    }
    line = end + 1;
  }
  CHECK_EQ(*map, '\0');
  slurp("/proc/self/status");
  CHECK_EQ(figure("VmSize") / 4096,
           size / 4096);  // the files differ in vsyscall and in what reading them needs
  CHECK(figure("VmPeak") >= figure("VmSize"));
  CHECK(figure("VmRSS") > resident - 1024 && figure("VmRSS") < resident + 1024);
  CHECK(figure("VmHWM") >= figure("VmRSS"));
  CHECK_EQ(figure("RssAnon") + figure("RssFile") + figure("RssShmem"), figure("VmRSS"));
  CHECK(figure("RssAnon") >= kBytes >> 10 && figure("RssAnon") < (kBytes >> 10) + 4096);
  CHECK(figure("VmPTE") < 400);
  slurp("/proc/self/smaps_rollup");
  CHECK(strstr(text, "[rollup]\n") != NULL);
  CHECK(figure("Rss") > resident - 1024 && figure("Rss") < resident + 1024);
  slurp("/proc/self/statm");
  unsigned long pages = 0, resident_pages = 0;
  CHECK_EQ(sscanf(text, "%lu %lu", &pages, &resident_pages), 2);
  CHECK(resident_pages * 4 > resident - 2048 && resident_pages * 4 < resident + 2048);
  munmap(touched, kBytes);
}

static void memory_through_files(void) {
  const int mem = open("/proc/self/mem", O_RDWR);
  CHECK(mem >= 0);
  static char word[] = "word in memory";
  char got[sizeof word];
  CHECK_EQ(pread(mem, got, sizeof got, (off_t)word), sizeof got);
  CHECK_EQ(strcmp(got, word), 0);
  CHECK_EQ(lseek(mem, (off_t)word, SEEK_SET), (long)word);
  CHECK_EQ(write(mem, "WORD", 4), 4);
  CHECK_EQ(strcmp(word, "WORD in memory"), 0);
  CHECK_EQ(lseek(mem, 0, SEEK_CUR), (long)word + 4);
  // A debugger's rights: what is not readable can be read, what is private can be written.
  char* page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(page, "hidden");
  munmap(page + PAGE, PAGE);
  mprotect(page, PAGE, PROT_NONE);
  CHECK_EQ(pread(mem, got, 7, (off_t)page), 7);
  CHECK_EQ(strcmp(got, "hidden"), 0);
  CHECK_EQ(pwrite(mem, "H", 1, (off_t)page), 1);
  mprotect(page, PAGE, PROT_READ);
  CHECK_EQ(strcmp(page, "Hidden"), 0);
  CHECK_EQ(pread(mem, got, 8, (off_t)(page + PAGE - 4)), 4);
  CHECK_ERRNO(pread(mem, got, 8, (off_t)(page + PAGE)), EIO);
  CHECK_ERRNO(pread(mem, got, 8, 0), EIO);
  CHECK_ERRNO(pread(mem, (void*)8, 8, (off_t)page), EFAULT);
  CHECK_ERRNO(lseek(mem, 0, SEEK_END), EINVAL);
  munmap(page, PAGE);
  close(mem);
}

static int answer(void) { return 41; }

/// Code written through mem is the code that runs next.
static void code_through_mem(void) {
  int (*volatile function)(void) = answer;
  CHECK_EQ(function(), 41);
  const int mem = open("/proc/self/mem", O_RDWR);
  unsigned char code[32];
  CHECK_EQ(pread(mem, code, sizeof code, (off_t)function), sizeof code);
  CHECK_EQ(memcmp(code, (void*)function, sizeof code), 0);
  const unsigned char constant[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
  CHECK_EQ(pwrite(mem, constant, sizeof constant, (off_t)function), sizeof constant);
  CHECK_EQ(function(), 42);
  CHECK_EQ(pwrite(mem, code, sizeof code, (off_t)function), sizeof code);
  CHECK_EQ(function(), 41);
  close(mem);
}

static void page_map(void) {
  const int fd = open("/proc/self/pagemap", O_RDONLY);
  CHECK(fd >= 0);
  char* pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pages[PAGE] = 1;
  uint64_t entries[3];
  CHECK_EQ(pread(fd, entries, sizeof entries, (off_t)((unsigned long)pages / PAGE * 8)), sizeof entries);
  CHECK_EQ(entries[0] >> 63, 0);
  CHECK_EQ(entries[1] >> 63, 1);
  CHECK_EQ(entries[2] >> 63, 0);
  CHECK_ERRNO(pread(fd, entries, 7, 0), EINVAL);
  CHECK_ERRNO(pread(fd, entries, 8, 4), EINVAL);
  munmap(pages, 3 * PAGE);
  close(fd);
}

static void name_of_the_program(void) {
  const int fd = open("/proc/self/comm", O_RDWR);
  CHECK_EQ(write(fd, "a rather long name", 18), 18);
  close(fd);
  slurp("/proc/self/comm");
  CHECK_EQ(strcmp(text, "a rather long n\n"), 0);
  slurp("/proc/self/status");
  CHECK_EQ(strncmp(text, "Name:\ta rather long n\n", 22), 0);
}

static void descriptors(void) {
  close_range(3, ~0U, 0);
  struct rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int count_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
  int listed = 0, open_ones = 0;
  DIR* directory = fdopendir(count_fd);
  for (const struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    CHECK(fcntl(atoi(entry->d_name), F_GETFD) >= 0);
    ++listed;
  }
  for (int fd = 0; fd < 70000; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    ++open_ones;
    CHECK(fd < 64);
  }
  CHECK_EQ(listed, open_ones);
  struct stat status;
  CHECK_EQ(fstat(count_fd, &status), 0);
  if (status.st_size != 0) CHECK_EQ(status.st_size, open_ones);
  CHECK_EQ(stat("/proc/self/fd", &status), 0);
  if (status.st_size != 0) CHECK_EQ(status.st_size, open_ones);
  closedir(directory);
  for (long fd = 0; fd < 70000; ++fd) {
    char path[64], link[256];
    snprintf(path, sizeof path, "/proc/self/%s/%ld", fd % 2 ? "fd" : "fdinfo", fd);
    if (access(path, F_OK) != 0) continue;
    CHECK(fd < 64);
    snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
    CHECK(readlink(path, link, sizeof link) > 0);
  }
}

static void one_task(void) {
  DIR* directory = opendir("/proc/self/task");
  int tasks = 0;
  for (const struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    CHECK_EQ(atoi(entry->d_name), getpid());
    ++tasks;
  }
  closedir(directory);
  CHECK_EQ(tasks, 1);
  char link[64];
  ssize_t length = readlink("/proc/self", link, sizeof link - 1);
  link[length] = '\0';
  CHECK_EQ(atoi(link), getpid());
  length = readlink("/proc/thread-self", link, sizeof link - 1);
  link[length] = '\0';
  CHECK_EQ(atoi(link), getpid());
}

static void other_files(void) {
  slurp("/proc/self/status");
  CHECK_EQ(figure("NoNewPrivs"), 0);
  CHECK_EQ(figure("Seccomp"), 0);
  CHECK_EQ(figure("TracerPid"), 0);
  CHECK_EQ(figure("Threads"), 1);
  slurp("/proc/self/personality");
  CHECK_EQ(strtoul(text, NULL, 16), syscall(SYS_personality, 0xffffffff));
  slurp("/proc/self/syscall");
  CHECK_EQ(strtol(text, NULL, 10), SYS_read);
  char* field = strchr(text, ' ');
  for (int i = 1; i < 8; ++i) field = strchr(field + 1, ' ');
  unsigned long pc = strtoul(field, NULL, 16);
  CHECK(pc != 0 && *(unsigned char*)(pc - 2) == 0x0f && *(unsigned char*)(pc - 1) == 0x05);
  static const char* const kept[] = {
      "oom_score_adj", "coredump_filter", "timerslack_ns", "cgroup", "mountinfo", "mounts",  "io",
      "sched",         "wchan",           "loginuid",      "limits", "numa_maps", "environ", "auxv",
      "cmdline"};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; ++i) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/%s", kept[i]);
    if (access(path, R_OK) != 0) continue;
    slurp(path);
    CHECK(strstr(text, "orrery") == NULL || strstr(text, "tests/guest") != NULL);
  }
  const int fd = open("/proc/self/oom_score_adj", O_RDWR);
  CHECK_EQ(write(fd, "100", 3), 3);
  close(fd);
  slurp("/proc/self/oom_score_adj");
  CHECK_EQ(atoi(text), 100);
}

int main(void) {
  RUN(many_ways);
  RUN(is_a_proc_file);
  RUN(is_read_anew);
  RUN(sizes_agree);
  RUN(memory_through_files);
  RUN(code_through_mem);
  RUN(page_map);
  RUN(descriptors);
  RUN(one_task);
  RUN(other_files);
  RUN(name_of_the_program);
  return 0;
}
