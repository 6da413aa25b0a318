// Programs that end well and take a second or more: for one reason, for several, or for none that dominates.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

static pthread_mutex_t accounts = PTHREAD_MUTEX_INITIALIZER, journal = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static volatile unsigned long sink;

#define SLEEP_MS(ms) nanosleep(&(struct timespec){(ms) / 1000, (ms) % 1000 * 1000000}, NULL)

/// So many milliseconds of the thread's own processor time.
APART static void compute(long ms) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  const long end = now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
  do {
    for (int i = 0; i < 200000; ++i) sink = sink * 31 + i;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  } while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < end);
}

static void in_threads(int count, void* (*run)(void*)) {
  pthread_t threads[8];
  for (int i = 0; i < count; ++i) pthread_create(&threads[i], NULL, run, (void*)(long)i);
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
}

// --- locks ---

static void* holds_and_sleeps(void* unused) {
  pthread_mutex_lock(&accounts);
  SLEEP_MS(1500);  // at: lock_over_sleep
  pthread_mutex_unlock(&accounts);
  return NULL;
}
APART static void lock_over_sleep(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, holds_and_sleeps, NULL);
  SLEEP_MS(100);
  pthread_mutex_lock(&accounts);
  pthread_mutex_unlock(&accounts);
  SLEEP_MS(100);  // so that it is not the thread's end that is waited for
  pthread_join(thread, NULL);
}

static void* works_under_the_lock(void* unused) {
  pthread_mutex_lock(&journal);
  SLEEP_MS(500);  // at: one_after_the_other
  pthread_mutex_unlock(&journal);
  return NULL;
}
APART static void one_after_the_other(void) { in_threads(4, works_under_the_lock); }

static void* waits_under_the_lock(void* number) {
  char byte;
  int* const ends = number;
  pthread_mutex_lock(&accounts);
  sink += read(ends[0], &byte, 1);  // at: lock_over_a_read
  pthread_mutex_unlock(&accounts);
  return NULL;
}
APART static void lock_over_a_read(void) {
  int ends[2];
  pipe(ends);
  if (fork() == 0) {
    SLEEP_MS(1500);
    write(ends[1], "x", 1);
    _exit(0);
  }
  pthread_t thread;
  pthread_create(&thread, NULL, waits_under_the_lock, ends);
  SLEEP_MS(50);
  pthread_mutex_lock(&accounts);
  pthread_mutex_unlock(&accounts);
  SLEEP_MS(100);  // so that it is not the thread's end that is waited for
  pthread_join(thread, NULL);
  wait(NULL);
}

static void* reads_the_table(void* number) {
  SLEEP_MS((long)number * 250);
  for (int i = 0; i < 3; ++i) {
    pthread_rwlock_rdlock(&table);
    SLEEP_MS(500);  // at: readers_keep_the_writer_out
    pthread_rwlock_unlock(&table);
  }
  return NULL;
}
APART static void readers_keep_the_writer_out(void) {
  pthread_t readers[2];
  for (long i = 0; i < 2; ++i) pthread_create(&readers[i], NULL, reads_the_table, (void*)i);
  SLEEP_MS(100);
  pthread_rwlock_wrlock(&table);
  pthread_rwlock_unlock(&table);
  SLEEP_MS(100);
  for (int i = 0; i < 2; ++i) pthread_join(readers[i], NULL);
}

static void* serves(void* unused) {
  pthread_mutex_lock(&journal);
  sink += 1;
  pthread_mutex_unlock(&journal);
  return NULL;
}
static void* holds_the_journal(void* unused) {
  pthread_mutex_lock(&journal);
  SLEEP_MS(1400);  // at: every_worker_waits
  pthread_mutex_unlock(&journal);
  return NULL;
}
APART static void every_worker_waits(void) {
  pthread_t holder;
  pthread_create(&holder, NULL, holds_the_journal, NULL);
  SLEEP_MS(50);
  in_threads(5, serves);
  SLEEP_MS(100);
  pthread_join(holder, NULL);
}

// --- files ---

APART static void syncs_each_line(void) {
  char name[] = "journal-XXXXXX";
  const int file = mkstemp(name);
  static char line[65536];
  const time_t end = time(NULL) + 3;
  for (int i = 0; time(NULL) < end; ++i) {
    write(file, line, sizeof line);
    fsync(file);  // at: syncs_each_line
  }
  unlink(name);
}

// --- time that passes ---

APART static void sleeps_between(void) {
  for (int i = 0; i < 15; ++i) {
    sink += i;
    SLEEP_MS(100);  // at: sleeps_between
  }
}

APART static int asks(int peer) {
  char byte;
  send(peer, "?", 1, 0);
  return recv(peer, &byte, 1, 0);  // at: nobody_answers
}
APART static void nobody_answers(void) {
  int ends[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  const struct timeval patience = {0, 400000};
  setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  for (int i = 0; i < 4 && asks(ends[0]) < 0; ++i) sink += i;
}

APART static void polls_in_vain(void) {
  int ends[2];
  pipe(ends);
  struct pollfd one = {.fd = ends[0], .events = POLLIN};
  for (int i = 0; i < 5; ++i) sink += poll(&one, 1, 300);  // at: polls_in_vain
}

APART static void waits_in_vain(void) {
  pthread_mutex_lock(&accounts);
  for (int i = 0; i < 3; ++i) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 500000000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&arrived, &accounts, &end);  // at: waits_in_vain
  }
  pthread_mutex_unlock(&accounts);
}

// --- others ---

APART static void starts_a_slow_one(void) { system("sleep 1.4"); }  // at: starts_a_slow_one

APART static void answers_late(int peer) {
  char byte;
  while (recv(peer, &byte, 1, 0) == 1) {
    SLEEP_MS(700);  // at: peer_is_slow
    send(peer, "!", 1, 0);
  }
  _exit(0);
}
APART static void peer_is_slow(void) {
  int ends[2];
  char byte;
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  if (fork() == 0) {
    close(ends[0]);
    answers_late(ends[1]);
  }
  close(ends[1]);
  for (int i = 0; i < 2; ++i) {
    send(ends[0], "?", 1, 0);
    recv(ends[0], &byte, 1, 0);
  }
  close(ends[0]);
  wait(NULL);
}

// --- computing ---

APART static void counts_letters(const char* text) {
  for (unsigned i = 0; i < strlen(text); ++i) sink += text[i] == 'a';  // at: quadratic
}
APART static void quadratic(void) {
  static char text[350000];
  memset(text, 'a', sizeof text - 1);
  counts_letters(text);
}

APART static void sums(unsigned long count) {
  for (unsigned long i = 0; i < count; ++i) sink = sink * 31 + i;  // at: computes
}
APART static void computes(void) { sums(1500000000); }

APART static void child_computes(void) {
  if (fork() == 0) {
    sums(1500000000);
    _exit(0);
  }
  wait(NULL);
}

/// The lock is waited for at times, and never long.
static void* mixes(void* unused) {
  for (int round = 0; round < 60; ++round) {
    pthread_mutex_lock(&journal);
    sink += round;
    pthread_mutex_unlock(&journal);
    for (int i = 0; i < 12000000; ++i) sink = sink * 31 + i;  // at: cpu_under_a_short_lock
  }
  return NULL;
}
APART static void cpu_under_a_short_lock(void) { in_threads(2, mixes); }

/// On a machine of its own each thread would have a processor.
static void* spins_by_itself(void* unused) {
  unsigned long own = 1;
  for (unsigned long i = 0; i < 300000000; ++i) {
    own = own * 31 + i;
    OPAQUE(own);
  }
  return NULL;
}
APART static void side_by_side(void) { in_threads(4, spins_by_itself); }

APART static void gives_up_in_the_end(void) {
  int ends[2];
  pipe(ends);
  struct pollfd one = {.fd = ends[0], .events = POLLIN};
  for (int i = 0; i < 3; ++i) {
    if (poll(&one, 1, 500) > 0) return;
  }
  fprintf(stderr, "slow: no answer\n");  // at: gives_up_in_the_end
  exit(5);
}

// --- nothing dominates ---

static void* takes_it_often(void* unused) {
  for (int i = 0; i < 2000; ++i) {
    pthread_mutex_lock(&accounts);
    sink += i;
    pthread_mutex_unlock(&accounts);
  }
  return NULL;
}
APART static void quick(void) { in_threads(4, takes_it_often); }

APART static void bits_of_all(void) {
  int ends[2];
  pipe(ends);
  struct pollfd one = {.fd = ends[0], .events = POLLIN};
  compute(250);
  SLEEP_MS(450);
  poll(&one, 1, 450);
}

MAIN(CASE(lock_over_sleep), CASE(one_after_the_other), CASE(lock_over_a_read),
     CASE(readers_keep_the_writer_out), CASE(every_worker_waits), CASE(syncs_each_line), CASE(sleeps_between),
     CASE(nobody_answers), CASE(polls_in_vain), CASE(waits_in_vain), CASE(starts_a_slow_one),
     CASE(peer_is_slow), CASE(quadratic), CASE(computes), CASE(child_computes), CASE(cpu_under_a_short_lock),
     CASE(side_by_side), CASE(gives_up_in_the_end), CASE(quick), CASE(bits_of_all))
