// What the tests of signals from outside run: `guest MODE`. It says "ready" and then does what the mode says;
// everything it prints afterwards is the same each time, however long the signals took.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t calls, done;
static volatile int sum_of_values, last_value = -1, in_order = 1;

static void note(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  ++calls;
  if (info->si_code != SI_QUEUE) return;
  if (info->si_value.sival_int != last_value + 1) in_order = 0;
  last_value = info->si_value.sival_int;
  sum_of_values += last_value;
}
static void finish(int number) { done = number; }

static void on(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(number, &action, NULL);
}

static void ready(void) {
  printf("ready\n");
  fflush(stdout);
}

static void epoll_once(void) {
  struct epoll_event event;
  const int epoll = epoll_create1(0);
  ready();
  const int result = epoll_wait(epoll, &event, 1, 1500);
  printf("epoll_wait %d %s\n", result, result < 0 ? strerror(errno) : "");
}
static void poll_once(void) {
  ready();
  const int result = poll(NULL, 0, 1500);
  printf("poll %d %s\n", result, result < 0 ? strerror(errno) : "");
}
static void sleep_once(void) {
  struct timespec rest = {1, 500000000}, before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  ready();
  const int result = nanosleep(&rest, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  const long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
  printf("nanosleep %d %s %s\n", result, result < 0 ? strerror(errno) : "", ms >= 1500 ? "whole" : "short");
}
static void read_once(void) {
  char byte;
  ready();
  const long result = read(0, &byte, 1);
  printf("read %ld %s\n", result, result < 0 ? strerror(errno) : "");
}
/// Computes until SIGUSR2 comes.
static void spin(void) {
  volatile unsigned long turns = 0;
  signal(SIGUSR2, finish);
  on(SIGRTMIN, note, 0);
  ready();
  while (!done) ++turns;
  printf("values %d in order %d sum %d\n", last_value + 1, in_order, sum_of_values);
}
/// Takes queued signals only when SIGUSR2 has come.
static void blocked(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGUSR2, finish);
  on(SIGRTMIN, note, 0);
  ready();
  while (!done) poll(NULL, 0, 20);
  siginfo_t info;
  int count = 0, ordered = 1;
  const struct timespec at_once = {0, 0};
  while (sigtimedwait(&set, &info, &at_once) > 0)
    if (info.si_value.sival_int != count++) ordered = 0;
  printf("taken %d in order %d\n", count, ordered);
}
/// Writes 4 MiB into standard output's pipe in one call, which signals that it ignores or blocks cannot
/// shorten.
static void write_all(int how) {
  const size_t size = 4 << 20;
  char* data = malloc(size);
  sigset_t set;
  memset(data, 'w', size);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  if (how == 'i') signal(SIGUSR1, SIG_IGN);
  if (how == 'b') sigprocmask(SIG_BLOCK, &set, NULL);
  ready();
  const long result = write(1, data, size);
  fprintf(stderr, "%s", result == (long)size ? "" : "short write\n");
  printf("\nwrote %s\n", result == (long)size ? "all" : "less");
  free(data);
}
static void inherited(void) {
  char line[256];
  FILE* status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, "SigIgn", 6) == 0 || strncmp(line, "SigBlk", 6) == 0) fputs(line, stdout);
  fclose(status);
  for (int number = 1; number < 65; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN) printf("ignored %d\n", number);
  }
  if (raise(SIGHUP) == 0) printf("alive after SIGHUP\n");
  ready();
}

int main(int count, char** words) {
  const char* mode = count > 1 ? words[1] : "";
  if (strcmp(mode, "epoll") == 0) epoll_once();
  if (strcmp(mode, "poll") == 0) poll_once();
  if (strcmp(mode, "sleep") == 0) sleep_once();
  if (strcmp(mode, "read") == 0) read_once();
  if (strcmp(mode, "spin") == 0) spin();
  if (strcmp(mode, "blocked") == 0) blocked();
  if (strcmp(mode, "write-ignoring") == 0) write_all('i');
  if (strcmp(mode, "write-blocking") == 0) write_all('b');
  if (strcmp(mode, "write-default") == 0) write_all('d');
  if (strcmp(mode, "inherited") == 0) inherited();
  return 0;
}
