// Threads whose waits are known: a lock held for known times, a pipeline, a barrier; each notes its own
// waits.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t all_here;
static int stages[2][2];
static volatile int holding;

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}
static void sleep_ms(int ms) {
  struct timespec t = {0, ms * 1000000L};
  nanosleep(&t, 0);
}
static void say(const char* what, long from, long to) {
  printf("%s %ld %ld\n", what, syscall(SYS_gettid), to - from);
}
static void* holder(void* unused) {
  prctl(PR_SET_NAME, "holder");
  for (int i = 0; i < 3; ++i) {
    pthread_mutex_lock(&held_lock);
    holding = 1;
    sleep_ms(30);
    pthread_mutex_unlock(&held_lock);
    holding = 0;
    sleep_ms(20);
  }
  return unused;
}
static void* taker(void* unused) {
  prctl(PR_SET_NAME, "taker");
  for (int i = 0; i < 3; ++i) {
    while (!holding) sleep_ms(1);
    long from = now();
    pthread_mutex_lock(&held_lock);
    say("lock", from, now());
    pthread_mutex_unlock(&held_lock);
    while (holding) sleep_ms(1);
  }
  return unused;
}
static void* stage(void* which) {
  char byte;
  int at = which != 0;
  prctl(PR_SET_NAME, at ? "second" : "first");
  for (int i = 0; i < 3; ++i) {
    if (at == 0) sleep_ms(15);
    if (at == 1) {
      long from = now();
      if (read(stages[0][0], &byte, 1) != 1) abort();
      say("pipe", from, now());
    }
    if (at == 0 && write(stages[0][1], "x", 1) != 1) abort();
  }
  return which;
}
static void* comes_late(void* ms) {
  sleep_ms((int)(long)ms);
  long from = now();
  pthread_barrier_wait(&all_here);
  say("barrier", from, now());
  return 0;
}
int main(void) {
  pthread_t a, b;
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  pthread_create(&a, 0, holder, 0);
  pthread_create(&b, 0, taker, 0);
  long from = now();
  pthread_join(a, 0);
  say("join", from, now());
  pthread_join(b, 0);
  if (pipe(stages[0]) != 0) return 1;
  pthread_create(&a, 0, stage, (void*)0);
  pthread_create(&b, 0, stage, (void*)1);
  pthread_join(a, 0);
  pthread_join(b, 0);
  pthread_barrier_init(&all_here, 0, 3);
  pthread_create(&a, 0, comes_late, (void*)10L);
  pthread_create(&b, 0, comes_late, (void*)40L);
  comes_late((void*)0L);
  pthread_join(a, 0);
  pthread_join(b, 0);
  fflush(stdout);
  int answer[2];
  if (pipe(answer) != 0) return 1;
  pid_t child = fork();
  if (child == 0) {
    sleep_ms(25);
    if (write(answer[1], "y", 1) != 1) _exit(1);
    sleep_ms(10);
    _exit(0);
  }
  char byte;
  from = now();
  if (read(answer[0], &byte, 1) != 1) return 1;
  say("answer", from, now());
  from = now();
  waitpid(child, 0, 0);
  say("child", from, now());
  return 0;
}
