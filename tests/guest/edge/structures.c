// Every kind of structure that a system call reads or writes, put so that its last bytes lie beyond the end
// of what is mapped, and just inside: what comes of it must be what the kernel does. A table of calls, each
// with the place of its pointer; the outcome of each row is checked against what Linux does.
#include <linux/capability.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <utime.h>

#include "check.h"

#define PAGE 4096UL

static int file, epoll, timer, pipes[2], pair[2];
static char* end;        // the byte after the last accessible one
static char* read_only;  // the same for a page that may only be read

enum { kPointer = -7777 };  // stands for the pointer in a row's arguments

struct row {
  const char* name;
  long number;
  long args[6];
  unsigned size;  // of what is pointed to
  char reads;     // the call reads it: it is prepared with these bytes
  const void* bytes;
};

static struct timespec no_time = {0, 0};
static struct timeval no_time_value = {0, 0};
static struct itimerspec stopped;
static struct itimerval stopped_value;
static struct rlimit limit;
static sigset_t no_signals;
static struct pollfd poll_none = {-1, 0, 0};
static struct epoll_event event = {EPOLLIN, {0}};
static struct flock lock = {F_RDLCK, SEEK_SET, 0, 1, 0};
static uint64_t how[3] = {O_RDONLY, 0, 0};
static struct timespec times_now[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
static uint64_t set_bits[16];
static int one = 1;

#define P kPointer
static struct row rows[] = {
    {"fstat", SYS_fstat, {0, P}, 144, 0, NULL},
    {"stat", SYS_stat, {(long)"/", P}, 144, 0, NULL},
    {"newfstatat", SYS_newfstatat, {AT_FDCWD, (long)"/", P, 0}, 144, 0, NULL},
    {"statx", SYS_statx, {AT_FDCWD, (long)"/", 0, 0x7ff, P}, 256, 0, NULL},
    {"statfs", SYS_statfs, {(long)"/", P}, 120, 0, NULL},
    {"uname", SYS_uname, {P}, 390, 0, NULL},
    {"sysinfo", SYS_sysinfo, {P}, 112, 0, NULL},
    {"times", SYS_times, {P}, 32, 0, NULL},
    {"getrusage", SYS_getrusage, {RUSAGE_SELF, P}, 144, 0, NULL},
    {"getrlimit", SYS_getrlimit, {RLIMIT_CORE, P}, 16, 0, NULL},
    {"prlimit64 old", SYS_prlimit64, {0, RLIMIT_CORE, 0, P}, 16, 0, NULL},
    {"prlimit64 new", SYS_prlimit64, {0, RLIMIT_CORE, P, 0}, 16, 1, &limit},
    {"setrlimit", SYS_setrlimit, {RLIMIT_CORE, P}, 16, 1, &limit},
    {"gettimeofday", SYS_gettimeofday, {P, 0}, 16, 0, NULL},
    {"gettimeofday zone", SYS_gettimeofday, {0, P}, 8, 0, NULL},
    {"time", SYS_time, {P}, 8, 0, NULL},
    {"clock_gettime", SYS_clock_gettime, {CLOCK_REALTIME, P}, 16, 0, NULL},
    {"clock_getres", SYS_clock_getres, {CLOCK_REALTIME, P}, 16, 0, NULL},
    {"nanosleep", SYS_nanosleep, {P, 0}, 16, 1, &no_time},
    {"clock_nanosleep", SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, P, 0}, 16, 1, &no_time},
    {"getitimer", SYS_getitimer, {ITIMER_REAL, P}, 32, 0, NULL},
    {"setitimer", SYS_setitimer, {ITIMER_REAL, P, 0}, 32, 1, &stopped_value},
    {"timerfd_settime", SYS_timerfd_settime, {-1, 0, P, 0}, 32, 1, &stopped},
    {"timerfd_gettime", SYS_timerfd_gettime, {-1, P}, 32, 0, NULL},
    {"rt_sigprocmask in", SYS_rt_sigprocmask, {SIG_BLOCK, P, 0, 8}, 8, 1, &no_signals},
    {"rt_sigprocmask out", SYS_rt_sigprocmask, {SIG_BLOCK, 0, P, 8}, 8, 0, NULL},
    {"rt_sigpending", SYS_rt_sigpending, {P, 8}, 8, 0, NULL},
    {"rt_sigaction out", SYS_rt_sigaction, {SIGUSR1, 0, P, 8}, 32, 0, NULL},
    {"sigaltstack out", SYS_sigaltstack, {0, P}, 24, 0, NULL},
    {"poll", SYS_poll, {P, 1, 0}, 8, 1, &poll_none},
    {"ppoll time", SYS_ppoll, {0, 0, P, 0, 8}, 16, 1, &no_time},
    {"select", SYS_select, {16, P, 0, 0, (long)&no_time_value}, 8, 1, set_bits},
    {"select time", SYS_select, {0, 0, 0, 0, P}, 16, 1, &no_time_value},
    {"pselect6 time", SYS_pselect6, {0, 0, 0, 0, P, 0}, 16, 1, &no_time},
    {"epoll_ctl", SYS_epoll_ctl, {-2, EPOLL_CTL_MOD, -3, P}, 12, 1, &event},
    {"pipe", SYS_pipe, {P}, 8, 0, NULL},
    {"pipe2", SYS_pipe2, {P, 0}, 8, 0, NULL},
    {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, P}, 8, 0, NULL},
    {"getsockopt", SYS_getsockopt, {-4, SOL_SOCKET, SO_TYPE, P, (long)&(socklen_t){4}}, 4, 0, NULL},
    {"setsockopt", SYS_setsockopt, {-4, SOL_SOCKET, SO_REUSEADDR, P, 4}, 4, 1, &one},
    {"getresuid", SYS_getresuid, {P, (long)&(int){0}, (long)&(int){0}}, 4, 0, NULL},
    {"getgroups", SYS_getgroups, {0, P}, 0, 0, NULL},
    {"getcpu", SYS_getcpu, {P, 0, 0}, 4, 0, NULL},
    {"sched_getparam", SYS_sched_getparam, {0, P}, 4, 0, NULL},
    {"sched_getaffinity", SYS_sched_getaffinity, {0, 8, P}, 8, 0, NULL},
    {"fcntl lock", SYS_fcntl, {-5, F_GETLK, P}, 32, 1, &lock},
    {"openat2", 437, {AT_FDCWD, (long)"/", P, 24}, 24, 1, how},
    {"utimensat", SYS_utimensat, {-5, 0, P, 0}, 32, 1, times_now},
    {"ioctl FIONREAD", SYS_ioctl, {-6, 0x541b, P}, 4, 0, NULL},
    {"getrandom", SYS_getrandom, {P, 16, 0}, 16, 0, NULL},
    {"prctl name out", SYS_prctl, {16, P}, 16, 0, NULL},
    {"arch_prctl", SYS_arch_prctl, {0x1003, P}, 8, 0, NULL},
    {"getcwd", SYS_getcwd, {P, 2}, 2, 0, NULL},
};
#undef P

/// Small negative numbers in a row stand for descriptors that exist only once the test runs.
static long argument(const struct row* row, int index, void* pointer) {
  const long value = row->args[index];
  if (value == kPointer) return (long)pointer;
  if (value == AT_FDCWD) return value;
  const int standing[] = {timer, epoll, pipes[0], pair[0], file, pipes[0]};
  return value <= -1 && value >= -6 && index < 3 ? standing[-value - 1] : value;
}

static long perform(const struct row* row, void* pointer) {
  errno = 0;
  const long result =
      syscall(row->number, argument(row, 0, pointer), argument(row, 1, pointer), argument(row, 2, pointer),
              argument(row, 3, pointer), argument(row, 4, pointer), argument(row, 5, pointer));
  if (result >= 0 && (row->number == SYS_pipe || row->number == SYS_pipe2 || row->number == SYS_socketpair)) {
    close(((int*)pointer)[0]);
    close(((int*)pointer)[1]);
  }
  if (result > 2 && row->number == 437) close((int)result);
  return result;
}

static void each_row(void (*check)(const struct row*)) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
    if (rows[i].size != 0) check(&rows[i]);
}

static void check_inside(const struct row* row) {
  char* at = end - row->size;
  memset(at, 0, row->size);
  if (row->reads) memcpy(at, row->bytes, row->size);
  if (perform(row, at) < 0) check_failed(__FILE__, __LINE__, row->name, -errno, 0);
}
/// Up to the very last byte of what is mapped, every call succeeds.
static void ends_at_the_edge(void) { each_row(check_inside); }

static void check_one_short(const struct row* row) {
  char* at = end - row->size + 1;
  memset(at, 0, row->size - 1);
  if (row->reads) memcpy(at, row->bytes, row->size - 1);
  const long result = perform(row, at);
  if (row->number == SYS_getrandom && result == 15) return;
  if (result != -1 || errno != EFAULT)
    check_failed(__FILE__, __LINE__, row->name, result < 0 ? -errno : result, -EFAULT);
}
/// One byte beyond it, EFAULT; what moves plain bytes stops there.
static void one_byte_beyond(void) { each_row(check_one_short); }

static void check_wild(const struct row* row) {
  static char* const wild[] = {(char*)1,
                               (char*)0x60000000,
                               (char*)0x7ff00000,
                               (char*)0x147000000000,
                               (char*)0x700000000000,
                               (char*)0x7fffffffefff,
                               (char*)0x800000000000,
                               (char*)-1L,
                               (char*)0x8000000000000000};
  for (size_t i = 0; i < sizeof wild / sizeof *wild; ++i) {
    const long result = perform(row, wild[i]);
    if (result != -1 || errno != EFAULT)
      check_failed(__FILE__, __LINE__, row->name, result < 0 ? -errno : result, (long)wild[i]);
  }
}
static void wild_pointers(void) { each_row(check_wild); }

static void check_read_only(const struct row* row) {
  if (row->reads) return;
  const long result = perform(row, read_only - row->size);
  if (result != -1 || errno != EFAULT)
    check_failed(__FILE__, __LINE__, row->name, result < 0 ? -errno : result, -EFAULT);
}
/// What is written cannot be where nothing may be written.
static void read_only_memory(void) { each_row(check_read_only); }

/// Two pages, the second without access.
static char* edge(int first) {
  char* at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_EQ(mprotect(at + PAGE, PAGE, PROT_NONE), 0);
  CHECK_EQ(mprotect(at, PAGE, first), 0);
  return at + PAGE;
}

int main(void) {
  end = edge(PROT_READ | PROT_WRITE);
  read_only = edge(PROT_READ);
  CHECK_EQ(chdir("/"), 0);
  file = (int)syscall(SYS_memfd_create, "edges", 0);
  CHECK_EQ(write(file, "0123456789", 10), 10);
  CHECK_EQ(pipe(pipes), 0);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  timer = timerfd_create(CLOCK_MONOTONIC, 0);
  epoll = epoll_create1(0);
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event), 0);
  CHECK_EQ(getrlimit(RLIMIT_CORE, &limit), 0);
  RUN(ends_at_the_edge);
  RUN(one_byte_beyond);
  RUN(wild_pointers);
  RUN(read_only_memory);
  return 0;
}
