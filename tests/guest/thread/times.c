// no-seed: processor time is the machine's own there
// How much processor time a thread has used, as it and others are told.
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

static double now(clockid_t clock) {
  struct timespec time;
  CHECK_EQ(clock_gettime(clock, &time), 0);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double used_by_thread(void) {
  struct rusage usage;
  CHECK_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static volatile int done, ends;

/// Uses a fifth of a second.
static void* work(void* unused) {
  while (now(CLOCK_THREAD_CPUTIME_ID) < 0.2) continue;
  CHECK(used_by_thread() > 0.15);
  done = 1;
  while (!ends) usleep(1000);
  return unused;
}

static void of_each_thread(void) {
  const double before = now(CLOCK_THREAD_CPUTIME_ID);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
  while (!done) usleep(5000);
  const double own = now(CLOCK_THREAD_CPUTIME_ID) - before;
  CHECK(own < 0.15);
  CHECK(used_by_thread() < before + 0.15);
  clockid_t clock;
  CHECK_EQ(pthread_getcpuclockid(thread, &clock), 0);
  CHECK(now(clock) >= 0.2);
  CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= 0.2);
  CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= now(clock));
  CHECK_ERRNO(clock_gettime(CLOCK_THREAD_CPUTIME_ID, (void*)8), EFAULT);
  CHECK_ERRNO(getrusage(RUSAGE_THREAD, (void*)8), EFAULT);
  ends = 1;
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

/// A fork begins anew.
static void of_a_fork(void) {
  ends = done = 0;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
  while (!done) usleep(5000);
  const pid_t child = fork();
  if (child == 0) _exit(now(CLOCK_THREAD_CPUTIME_ID) < 0.1 ? 0 : 1);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  ends = 1;
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

int main(void) {
  RUN(of_each_thread);
  RUN(of_a_fork);
  return 0;
}
