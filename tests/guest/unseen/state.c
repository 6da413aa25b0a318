// What a process finds about itself when it starts is what its parent gave it: limits, signals, environment,
// code, stack, ids. Nothing in it comes from a machine.
#include <elf.h>
#include <execinfo.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "check.h"

#define PAGE 4096UL

static char text[1 << 16];

static void slurp(const char* path) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) check_failed(__FILE__, __LINE__, path, errno, 0);
  size_t size = 0;
  for (ssize_t n; (n = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += (size_t)n;
  text[size] = '\0';
  close(fd);
}

/// Only the process that started us has the same limits.
static void limits_of_the_parent(void) {
  static char own[sizeof text];
  slurp("/proc/self/limits");
  memcpy(own, text, sizeof own);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/limits", getppid());
  slurp(path);
  if (strcmp(own, text) != 0) {
    (void)!write(2, own, strlen(own));
    (void)!write(2, text, strlen(text));
    CHECK(!"the limits are the parent's");
  }
}

/// The soft limit can be raised to the hard one, and descriptors then be had far up.
static void descriptors_up_to_the_limit(void) {
  struct rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const struct rlimit before = limit;
  limit.rlim_cur = limit.rlim_max;
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  // The engine has the last 128 or, where there are many, 2048.
  const rlim_t least = limit.rlim_max >= 10240 ? 2052 : 132;
  const int last = limit.rlim_max > 200000 ? 100000 : (int)(limit.rlim_max - least);
  CHECK_EQ(dup2(0, last), last);
  CHECK_EQ(fcntl(0, F_DUPFD, last), last + 1);
  CHECK_EQ(close(last), 0);
  CHECK_EQ(close_range(3, ~0U, 0), 0);
  CHECK_ERRNO(fcntl(last + 1, F_GETFD), EBADF);
  CHECK_ERRNO(dup2(0, (int)limit.rlim_max), EBADF);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  CHECK_EQ(open("/dev/null", O_RDONLY), 3);
  CHECK_EQ(close(3), 0);
}

static void signals_as_given(void) {
  for (int number = 1; number <= 64; ++number) {
    struct {
      void* handler;
      unsigned long flags;
      void* restorer;
      uint64_t mask;
    } action;
    CHECK_EQ(syscall(SYS_rt_sigaction, number, NULL, &action, 8), 0);
    CHECK(action.handler == SIG_DFL || action.handler == SIG_IGN);
    if (action.handler == SIG_DFL) CHECK_EQ(action.flags | action.mask, 0);
  }
  sigset_t set;
  CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &set), 0);
  CHECK_EQ(*(uint64_t*)&set, 0);
  CHECK_EQ(sigpending(&set), 0);
  CHECK_EQ(*(uint64_t*)&set, 0);
  stack_t stack;
  CHECK_EQ(sigaltstack(NULL, &stack), 0);
  CHECK_EQ(stack.ss_flags, SS_DISABLE);
  struct itimerval timer;
  for (int which = 0; which < 3; ++which) {
    CHECK_EQ(getitimer(which, &timer), 0);
    CHECK_EQ(timer.it_value.tv_sec | timer.it_value.tv_usec | timer.it_interval.tv_sec, 0);
  }
}

static void attributes_as_given(void) {
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
  CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
  CHECK_EQ(prctl(PR_GET_TIMING), 0);
  int value = 99;
  CHECK_EQ(prctl(PR_GET_PDEATHSIG, &value), 0);
  CHECK_EQ(value, 0);
  CHECK_EQ(prctl(PR_GET_CHILD_SUBREAPER, &value), 0);
  CHECK_EQ(value, 0);
  CHECK_EQ(prctl(PR_GET_TSC, &value), 0);
  CHECK_EQ(value, PR_TSC_ENABLE);
  CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
  CHECK_EQ(personality(0xffffffff), 0);
  CHECK_EQ(personality(ADDR_NO_RANDOMIZE), 0);
  CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
  CHECK_EQ(personality(0), ADDR_NO_RANDOMIZE);
  CHECK_EQ(getsid(0), getsid(getppid()));
  CHECK_EQ(getpgrp(), getpgid(getppid()));
  char name[16], file[PATH_MAX];
  CHECK_EQ(prctl(PR_GET_NAME, name), 0);
  const ssize_t length = readlink("/proc/self/exe", file, sizeof file - 1);
  CHECK(length > 0);
  file[length] = '\0';
  CHECK_EQ(strncmp(name, strrchr(file, '/') + 1, 15), 0);
}

static void environment_as_given(void) {
  extern char** environ;
  for (char** variable = environ; *variable != NULL; ++variable)
    CHECK(strncmp(*variable, "ORRERY_", 7) != 0 && strncmp(*variable, "LD_PRELOAD=", 11) != 0);
  CHECK_EQ(getauxval(AT_SECURE), 0);
  CHECK_EQ(getauxval(AT_PAGESZ), PAGE);
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_CLKTCK), sysconf(_SC_CLK_TCK));
  Elf64_auxv_t entries[64];
  const int fd = open("/proc/self/auxv", O_RDONLY);
  const ssize_t size = read(fd, entries, sizeof entries);
  close(fd);
  CHECK(size > 0 && size % 16 == 0);
  for (long i = 0; i < size / 16; ++i)
    if (entries[i].a_type != AT_NULL && entries[i].a_type != AT_HWCAP)  // libc has its own
      CHECK_EQ(getauxval(entries[i].a_type), entries[i].a_un.a_val);
}

/// Each page of code reads as it does in its file.
static void code_is_the_files(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  static char line[4096], bytes[4096];
  int compared = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long start, stop, offset;
    char rights[8], path[2048] = "";
    CHECK(sscanf(line, "%lx-%lx %7s %lx %*s %*s %2047s", &start, &stop, rights, &offset, path) >= 4);
    if (strcmp(rights, "r-xp") != 0 || path[0] != '/') continue;
    const int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    for (unsigned long at = start; at < stop; at += PAGE) {
      const ssize_t size = pread(fd, bytes, PAGE, (off_t)(offset + (at - start)));
      CHECK(size >= 0 && memcmp((void*)at, bytes, (size_t)size) == 0);
      ++compared;
    }
    close(fd);
  }
  fclose(maps);
  CHECK(compared > 100);
}

/// What lies below the stack pointer stays as it is, whatever system call or instruction is executed.
__attribute__((noinline)) static void below_the_stack_pointer(void) {
  volatile unsigned char* sp;
  __asm__ volatile("mov %%rsp, %0" : "=r"(sp));
  enum { kFrom = 60000, kTo = 0 };
  for (long i = kFrom; i > kTo + 400; --i) sp[-i] = (unsigned char)(i * 7);
  for (int round = 0; round < 200; ++round) {
    long rax = SYS_getppid;
    __asm__ volatile("syscall" : "+a"(rax) : : "rcx", "r11", "memory");
    rax = SYS_clock_gettime;
    static struct timespec now;
    __asm__ volatile("syscall" : "+a"(rax) : "D"(0), "S"(&now) : "rcx", "r11", "memory");
    rax = SYS_read;
    __asm__ volatile("syscall" : "+a"(rax) : "D"(-1), "S"(text), "d"(10) : "rcx", "r11", "memory");
    unsigned a = 0, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
    __asm__ volatile("lea 1f(%%rip), %%rax\n jmp *%%rax\n 1:" : : : "rax");
  }
  for (long i = kFrom; i > kTo + 400; --i)
    if (sp[-i] != (unsigned char)(i * 7)) check_failed(__FILE__, __LINE__, "below sp", -i, sp[-i]);
}

static void* frames[64];
static int frame_count;
static void* wanted_return;

static void handler(int number, siginfo_t* info, void* context) { frame_count = backtrace(frames, 64); }

static int is_code_of_main(const void* address) {
  extern char __executable_start, etext;
  return (const char*)address >= &__executable_start && (const char*)address < &etext;
}

__attribute__((noinline)) static void leaf(int from_signal) {
  wanted_return = __builtin_return_address(0);
  if (from_signal)
    raise(SIGUSR1);
  else
    frame_count = backtrace(frames, 64);
  __asm__ volatile("" ::: "memory");
}

/// Each return address is the program's own, from a plain function and from a handler.
static void unwinding(void) {
  on_signal(SIGUSR1, handler, 0);
  for (int from_signal = 0; from_signal < 2; ++from_signal) {
    leaf(from_signal);
    CHECK(frame_count >= 4 && frame_count < 64);
    int found = 0;
    for (int i = 0; i < frame_count; ++i) found |= frames[i] == wanted_return;
    CHECK(found);
    CHECK(is_code_of_main(frames[0]));
  }
  signal(SIGUSR1, SIG_DFL);
}

static long nanoseconds(const struct timespec* t) { return t->tv_sec * 1000000000L + t->tv_nsec; }

/// Clocks go forward together.
static void time_is_sane(void) {
  struct timespec start, now, real, real_now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  clock_gettime(CLOCK_REALTIME, &real);
  const unsigned long tsc = __builtin_ia32_rdtsc();
  const struct timespec nap = {0, 20000000};
  CHECK_EQ(nanosleep(&nap, NULL), 0);
  CHECK(__builtin_ia32_rdtsc() > tsc);
  clock_gettime(CLOCK_REALTIME, &real_now);
  clock_gettime(CLOCK_MONOTONIC, &now);
  CHECK(nanoseconds(&now) - nanoseconds(&start) >= 20000000);
  const long difference =
      (nanoseconds(&now) - nanoseconds(&start)) - (nanoseconds(&real_now) - nanoseconds(&real));
  CHECK(difference > -1000000000L && difference < 1000000000L);
  for (int i = 0; i < 1000; ++i) {
    const struct timespec before = now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(nanoseconds(&now) >= nanoseconds(&before));
  }
}

int main(void) {
  RUN(signals_as_given);
  RUN(attributes_as_given);
  RUN(limits_of_the_parent);
  RUN(descriptors_up_to_the_limit);
  RUN(environment_as_given);
  RUN(code_is_the_files);
  RUN(below_the_stack_pointer);
  RUN(unwinding);
  RUN(time_is_sane);
  return 0;
}
