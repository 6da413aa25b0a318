// A process that changes all that the kernel keeps of it, and says at two points what it is by asking the
// kernel: one line "name value" each, then the lists of /proc/self/status and limits.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t together;
static long waiter;

static void on_usr1(int number) { (void)number; }
static void on_int(int number, siginfo_t* info, void* context) { (void)number, (void)info, (void)context; }

static unsigned long as_word(const sigset_t* set) {
  unsigned long word = 0;
  for (int number = 1; number <= 64; ++number)
    if (sigismember(set, number) == 1) word |= 1UL << (number - 1);
  return word;
}

static void copy_out(const char* path) {
  char line[300];
  FILE* from = fopen(path, "r");
  while (fgets(line, sizeof line, from)) fputs(line, stdout);
  fclose(from);
}

static void say(int point) {
  uid_t users[3];
  gid_t groups[3];
  char text[4096];
  sigset_t set;
  stack_t alternate;
  getresuid(&users[0], &users[1], &users[2]);
  getresgid(&groups[0], &groups[1], &groups[2]);
  const mode_t mask = umask(0);
  umask(mask);
  printf("point %d\n", point);
  printf("pid %d\nparent %d\ngroup %d\nsession %d\n", getpid(), getppid(), getpgrp(), getsid(0));
  printf("users %u %u %u\ngroups %u %u %u\numask %u\n", users[0], users[1], users[2], groups[0], groups[1],
         groups[2], mask);
  printf("directory %s\n", getcwd(text, sizeof text));
  printf("dumpable %d\nno_new_privileges %d\n", prctl(PR_GET_DUMPABLE),
         prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  prctl(PR_GET_NAME, text);
  printf("name %s\n", text);
  pthread_sigmask(SIG_BLOCK, NULL, &set);
  printf("mask %lx\n", as_word(&set));
  sigpending(&set);
  printf("pending %lx\n", as_word(&set));
  sigaltstack(NULL, &alternate);
  printf("alternate %lx %lu\n", (unsigned long)alternate.ss_sp, (unsigned long)alternate.ss_size);
  for (int number = 1; number <= 64; ++number) {
    struct {
      unsigned long handler, flags, restorer, mask;
    } action = {0, 0, 0, 0};
    if (syscall(SYS_rt_sigaction, number, NULL, &action, 8) != 0) continue;
    if (action.handler != 0)
      printf("action %d %lx %lx %lx\n", number, action.handler, action.flags, action.mask);
  }
  for (int resource = 0; resource < 16; ++resource) {
    struct rlimit limit;
    getrlimit(resource, &limit);
    printf("limit %d %lx %lx\n", resource, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
  }
  copy_out("/proc/self/status");
  copy_out("/proc/self/limits");
  fflush(stdout);
}

__attribute__((noinline)) void seen(int point) { __asm__ volatile("" : : "r"(point)); }

static void* wait_for_signal(void* argument) {
  sigset_t set;
  int number = 0;
  prctl(PR_SET_NAME, "waiter");
  sigfillset(&set);
  pthread_sigmask(SIG_SETMASK, &set, NULL);
  waiter = syscall(SYS_gettid);
  printf("thread %ld\n", waiter);
  fflush(stdout);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_barrier_wait(&together);
  sigwait(&set, &number);
  return argument;
}

static int waits(long thread) {
  char line[300];
  int found = 0;
  snprintf(line, sizeof line, "/proc/self/task/%ld/status", thread);
  FILE* from = fopen(line, "r");
  while (fgets(line, sizeof line, from)) found |= strncmp(line, "State:\tS", 8) == 0;
  fclose(from);
  return found;
}

static void change(void) {
  static char room[32768];
  const struct rlimit files = {100, 200}, core = {0, 0};
  const stack_t alternate = {.ss_sp = room, .ss_size = sizeof room};
  struct sigaction action = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};
  sigset_t set;
  setsid();
  if (chdir("/usr/lib") != 0) exit(1);
  umask(027);
  setrlimit(RLIMIT_NOFILE, &files);
  setrlimit(RLIMIT_CORE, &core);
  prctl(PR_SET_NAME, "changed");
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0);
  sigaltstack(&alternate, NULL);
  sigaction(SIGUSR1, &action, NULL);
  action = (struct sigaction){.sa_sigaction = on_int, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGHUP);
  kill(getpid(), SIGRTMIN + 3);
}

int main(void) {
  say(1), seen(1);
  const pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    change();
    pthread_barrier_init(&together, NULL, 2);
    pthread_create(&thread, NULL, wait_for_signal, NULL);
    pthread_barrier_wait(&together);
    while (!waits(waiter)) usleep(1000);
    say(2), seen(2);
    pthread_kill(thread, SIGUSR2);
    pthread_join(thread, NULL);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  return 0;
}
