// ptrace(2) of a program by a process that shares its memory, as leak checkers do at exit: its threads are
// listed, stopped one by one, read, and let go.
#include <dirent.h>
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "check.h"

enum { kBeside = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED, kThreads = 3 };

static char stack[1 << 17] __attribute__((aligned(16)));
static volatile int ready, done, stop_threads;
static volatile pid_t tids[kThreads];
static volatile long counts[kThreads];
static pid_t parent;

static long raw(long number, long a, long b, long c, long d) { return syscall(number, a, b, c, d); }
static long trace(int request, pid_t tid, long address, void* data) {
  return raw(SYS_ptrace, request, tid, address, (long)data);
}

/// Runs `body` beside the threads of this program until it has ended; its result.
static int run_tracer(int (*body)(void*)) {
  done = 0;
  const pid_t tracer = clone(body, stack + sizeof stack, kBeside, NULL);
  CHECK(tracer > 0);
  prctl(PR_SET_PTRACER, tracer);
  while (!done) sched_yield();
  int status = -1;
  CHECK_EQ(waitpid(tracer, &status, __WALL), tracer);
  CHECK_EQ(status & 0xff, 0);
  return status >> 8;
}

/// What a tracer's checks give back: the line, modulo 256; it must not use CHECK, which ends it alone.
#define WANT(condition)          \
  do {                           \
    if (!(condition)) {          \
      done = 1;                  \
      return __LINE__ % 255 + 1; \
    }                            \
  } while (0)

static int stop_one(pid_t tid) {
  WANT(trace(PTRACE_ATTACH, tid, 0, NULL) == 0);
  int status = 0;
  WANT(raw(SYS_wait4, tid, (long)&status, __WALL, 0) == tid);
  WANT(status == (SIGSTOP << 8 | 0x7f));
  return 0;
}

static int list_tasks(pid_t* found) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", parent);
  DIR* const directory = opendir(path);
  if (directory == NULL) return -1;
  int count = 0;
  for (struct dirent* entry; (entry = readdir(directory)) != NULL && count < 16;)
    if (entry->d_name[0] != '.') found[count++] = atoi(entry->d_name);
  closedir(directory);
  return count;
}

static int stops_all(void* nothing) {
  (void)nothing;
  WANT(getppid() == parent);
  pid_t found[16];
  const int count = list_tasks(found);
  WANT(count == kThreads + 1);
  for (int i = 0; i < count; ++i) {
    const int result = stop_one(found[i]);
    if (result != 0) return result;
  }
  long before[kThreads];
  for (int i = 0; i < kThreads; ++i) before[i] = counts[i];
  for (int i = 0; i < 1000; ++i) raw(SYS_sched_yield, 0, 0, 0, 0);
  for (int i = 0; i < kThreads; ++i) WANT(counts[i] == before[i]);
  for (int i = 0; i < count; ++i) {
    struct user_regs_struct regs, same;
    memset(&regs, 0, sizeof regs);
    struct iovec vector = {&regs, sizeof regs};
    WANT(trace(PTRACE_GETREGSET, found[i], NT_PRSTATUS, &vector) == 0);
    WANT(vector.iov_len == sizeof regs);
    WANT(trace(PTRACE_GETREGS, found[i], 0, &same) == 0);
    WANT(memcmp(&regs, &same, sizeof regs) == 0);
    WANT(regs.cs == 0x33 && regs.ss == 0x2b && regs.rip != 0 && regs.rsp != 0);
    long word = 0;
    WANT(trace(PTRACE_PEEKDATA, found[i], (long)regs.rsp, &word) == 0);
    WANT(word == *(long*)regs.rsp);
    long rip = 0;
    WANT(trace(PTRACE_PEEKUSER, found[i], offsetof(struct user, regs.rip), &rip) == 0);
    WANT(rip == (long)regs.rip);
  }
  for (int i = 0; i < count; ++i) WANT(trace(PTRACE_DETACH, found[i], 0, NULL) == 0);
  done = 1;
  return 0;
}

static void* runs(void* index) {
  const long i = (long)index;
  tids[i] = syscall(SYS_gettid);
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  if (i == 0)
    while (!stop_threads) usleep(1000);
  while (!stop_threads) ++counts[i];
  return NULL;
}

static void threads_stop_and_go_on(void) {
  pthread_t threads[kThreads];
  ready = stop_threads = 0;
  for (long i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, runs, (void*)i);
  while (ready != kThreads) sched_yield();
  CHECK_EQ(run_tracer(stops_all), 0);
  const long before = counts[1];
  while (counts[1] == before) sched_yield();
  stop_threads = 1;
  for (int i = 0; i < kThreads; ++i) CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static volatile pid_t waiting_tid;
static volatile long marker = 0x1122334455667788;

static int reads_blocked(void* nothing) {
  (void)nothing;
  int result = stop_one(waiting_tid);
  if (result != 0) return result;
  struct user_regs_struct regs;
  WANT(trace(PTRACE_GETREGS, waiting_tid, 0, &regs) == 0);
  WANT(regs.orig_rax == SYS_read);
  WANT((long)regs.rax == -512);  // ERESTARTSYS
  WANT(regs.rdx == 1);
  WANT(trace(PTRACE_CONT, waiting_tid, 0, (void*)0) == 0);
  WANT(trace(PTRACE_GETREGS, waiting_tid, 0, &regs) == -1 && errno == ESRCH);
  raw(SYS_tgkill, parent, waiting_tid, SIGUSR1, 0);
  int status = 0;
  WANT(raw(SYS_wait4, waiting_tid, (long)&status, __WALL, 0) == waiting_tid);
  WANT(status == (SIGUSR1 << 8 | 0x7f));
  siginfo_t info;
  WANT(trace(PTRACE_GETSIGINFO, waiting_tid, 0, &info) == 0);
  WANT(info.si_signo == SIGUSR1 && info.si_code == SI_TKILL);
  WANT(trace(PTRACE_DETACH, waiting_tid, 0, (void*)(long)SIGUSR1) == 0);
  done = 1;
  return 0;
}

static int ends[2];
static volatile int handled;
static void note(int number, siginfo_t* info, void* context) {
  (void)info, (void)context;
  handled = number;
}
static void* reads(void* nothing) {
  (void)nothing;
  waiting_tid = syscall(SYS_gettid);
  char byte = 0;
  const long count = read(ends[0], &byte, 1);
  return (void*)(count * 256 + byte);
}

static void a_blocked_call_goes_on(void) {
  on_signal(SIGUSR1, note, SA_RESTART);
  CHECK_EQ(pipe(ends), 0);
  pthread_t thread;
  waiting_tid = 0;
  pthread_create(&thread, NULL, reads, NULL);
  while (waiting_tid == 0) sched_yield();
  usleep(20000);
  CHECK_EQ(run_tracer(reads_blocked), 0);
  while (handled != SIGUSR1) sched_yield();
  CHECK_EQ(write(ends[1], "x", 1), 1);
  void* result;
  CHECK_EQ(pthread_join(thread, &result), 0);
  CHECK_EQ((long)result, 256 + 'x');
}

static int seizes(void* nothing) {
  (void)nothing;
  WANT(trace(PTRACE_SEIZE, waiting_tid, 0, NULL) == 0);
  WANT(trace(PTRACE_INTERRUPT, waiting_tid, 0, NULL) == 0);
  int status = 0;
  WANT(raw(SYS_wait4, waiting_tid, (long)&status, __WALL, 0) == waiting_tid);
  WANT(status == (128 << 16 | SIGTRAP << 8 | 0x7f));
  static unsigned char state[16384] __attribute__((aligned(64)));
  struct iovec vector = {state, sizeof state};
  WANT(trace(PTRACE_GETREGSET, waiting_tid, NT_X86_XSTATE, &vector) == 0);
  WANT(vector.iov_len >= 576 && vector.iov_len < sizeof state);
  // xmm15 of the legacy region
  WANT(memcmp(state + 160 + 15 * 16, (const void*)&marker, sizeof marker) == 0);
  WANT(trace(PTRACE_DETACH, waiting_tid, 0, NULL) == 0);
  done = 1;
  return 0;
}

static void* holds_in_xmm15(void* nothing) {
  (void)nothing;
  const pid_t tid = syscall(SYS_gettid);
  __asm__ volatile(
      "movq %0, %%xmm15\n"
      "movl %2, %1\n"
      "1: pause\n"
      "cmpl $0, %3\n"
      "je 1b\n"
      :
      : "r"(marker), "m"(waiting_tid), "r"(tid), "m"(stop_threads)
      : "xmm15", "memory");
  return NULL;
}

static void vector_registers_are_read(void) {
  pthread_t thread;
  waiting_tid = 0;
  stop_threads = 0;
  pthread_create(&thread, NULL, holds_in_xmm15, NULL);
  while (waiting_tid == 0) sched_yield();
  CHECK_EQ(run_tracer(seizes), 0);
  stop_threads = 1;
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int fails(void* nothing) {
  (void)nothing;
  long word;
  WANT(trace(PTRACE_PEEKDATA, parent, (long)&marker, &word) == -1 && errno == ESRCH);
  WANT(trace(PTRACE_ATTACH, raw(SYS_getpid, 0, 0, 0, 0), 0, NULL) == -1 && errno == EPERM);
  int result = stop_one(parent);
  if (result != 0) return result;
  WANT(trace(PTRACE_ATTACH, parent, 0, NULL) == -1 && errno == EPERM);
  WANT(trace(PTRACE_PEEKDATA, parent, 8, &word) == -1 && errno == EIO);
  WANT(trace(PTRACE_PEEKUSER, parent, 3, &word) == -1 && errno == EIO);
  WANT(trace(PTRACE_CONT, parent, 0, (void*)1000L) == -1 && errno == EIO);
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/task/%d/status", parent, parent);
  const int fd = open(path, O_RDONLY);
  const long count = read(fd, text, sizeof text - 1);
  text[count] = '\0';
  close(fd);
  WANT(strstr(text, "\nState:\tt (tracing stop)\n") != NULL);
  char line[64];
  snprintf(line, sizeof line, "\nTracerPid:\t%ld\n", raw(SYS_getpid, 0, 0, 0, 0));
  WANT(strstr(text, line) != NULL);
  done = 1;
  return 0;  // exit_ptrace: whoever is traced runs on
}

static void errors_and_the_end_of_a_tracer(void) { CHECK_EQ(run_tracer(fails), 0); }

static char traced_stack[1 << 16] __attribute__((aligned(16)));
static volatile pid_t traced;
static int is_traced(void* nothing) {
  (void)nothing;
  raw(SYS_prctl, PR_SET_PTRACER, -1, 0, 0);
  traced = raw(SYS_getpid, 0, 0, 0, 0);
  for (;;) raw(SYS_pause, 0, 0, 0, 0);
  return 0;
}

static void make_traced(void) {
  traced = 0;
  CHECK(clone(is_traced, traced_stack + sizeof traced_stack, kBeside, NULL) > 0);
  while (traced == 0) sched_yield();
}

static int kills(void* nothing) {
  (void)nothing;
  int result = stop_one(traced);
  if (result != 0) return result;
  WANT(trace(PTRACE_CONT, traced, 0, NULL) == 0);
  WANT(raw(SYS_kill, traced, SIGKILL, 0, 0) == 0);
  int status = 0;
  WANT(raw(SYS_wait4, traced, (long)&status, __WALL, 0) == traced);
  WANT(status == SIGKILL);
  WANT(raw(SYS_wait4, traced, (long)&status, __WALL, 0) == -1 && errno == ECHILD);
  done = 1;
  return 0;
}

/// The tracer is told first, and then the parent.
static void a_traced_process_is_killed(void) {
  make_traced();
  CHECK_EQ(run_tracer(kills), 0);
  int status = 0;
  CHECK_EQ(waitpid(traced, &status, __WALL), traced);
  CHECK_EQ(status, SIGKILL);
}

/// A parent that traces its child is told once.
static void a_traced_child_is_killed(void) {
  make_traced();
  CHECK_EQ(trace(PTRACE_ATTACH, traced, 0, NULL), 0);
  int status = 0;
  CHECK_EQ(waitpid(traced, &status, __WALL), traced);
  CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
  siginfo_t info;
  CHECK_EQ(kill(traced, SIGKILL), 0);
  CHECK_EQ(waitid(P_PID, traced, &info, WEXITED | WNOWAIT | __WALL), 0);
  CHECK_EQ(info.si_status, SIGKILL);
  CHECK_EQ(waitpid(traced, &status, __WALL), traced);
  CHECK_EQ(status, SIGKILL);
  CHECK_ERRNO(waitpid(traced, &status, __WALL), ECHILD);
}

int main(void) {
  parent = getpid();
  RUN(threads_stop_and_go_on);
  RUN(a_blocked_call_goes_on);
  RUN(vector_registers_are_read);
  RUN(errors_and_the_end_of_a_tracer);
  RUN(a_traced_process_is_killed);
  RUN(a_traced_child_is_killed);
  return 0;
}
