// What threads wait for each other with: libc's locks, and the futex calls below them.
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>

#include "check.h"

#define THREADS 6
#define ROUNDS 400

static pthread_t threads[THREADS];
static void start_all(void* (*body)(void*)) {
  for (long i = 0; i < THREADS; ++i) CHECK_EQ(pthread_create(&threads[i], NULL, body, (void*)i), 0);
}
static void join_all(void) {
  for (int i = 0; i < THREADS; ++i) CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static struct timespec in_milliseconds(clockid_t clock, long milliseconds) {
  struct timespec now;
  CHECK_EQ(clock_gettime(clock, &now), 0);
  now.tv_nsec += milliseconds * 1000000;
  now.tv_sec += now.tv_nsec / 1000000000;
  now.tv_nsec %= 1000000000;
  return now;
}

static pthread_mutex_t mutex;
static volatile long counter;
static void* count_locked(void* unused) {
  for (int i = 0; i < ROUNDS; ++i) {
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    const long seen = counter;
    if (i % 16 == 0) sched_yield();
    counter = seen + 1;
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
  }
  return NULL;
}
static void count_with(const pthread_mutexattr_t* attributes) {
  counter = 0;
  CHECK_EQ(pthread_mutex_init(&mutex, attributes), 0);
  start_all(count_locked);
  join_all();
  CHECK_EQ(counter, THREADS * ROUNDS);
}

static void mutexes(void) { count_with(NULL); }
static void mutexes_with_priority_inheritance(void) {
  pthread_mutexattr_t attributes;
  CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
  CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
  count_with(&attributes);
}
static void mutexes_that_check(void) {
  pthread_mutexattr_t attributes;
  CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
  CHECK_EQ(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK), 0);
  count_with(&attributes);
  CHECK_EQ(pthread_mutex_lock(&mutex), 0);
  CHECK_EQ(pthread_mutex_lock(&mutex), EDEADLK);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
  CHECK_EQ(pthread_mutex_unlock(&mutex), EPERM);
}

static void* lock_for_good(void* unused) {
  CHECK_EQ(pthread_mutex_lock(&mutex), 0);
  return NULL;
}
static void locks_outlive_their_owner(int protocol) {
  pthread_mutexattr_t attributes;
  CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
  CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
  CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, protocol), 0);
  CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
  CHECK_EQ(pthread_create(&threads[0], NULL, lock_for_good, NULL), 0);
  CHECK_EQ(pthread_join(threads[0], NULL), 0);
  CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
  CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}
static void robust_mutexes(void) { locks_outlive_their_owner(PTHREAD_PRIO_NONE); }
static void robust_mutexes_with_priority_inheritance(void) {
  locks_outlive_their_owner(PTHREAD_PRIO_INHERIT);
}

static void* hold_until_told(void* unused) {
  CHECK_EQ(pthread_mutex_lock(&mutex), 0);
  counter = 1;
  while (counter == 1) usleep(1000);
  usleep(30000);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
  return NULL;
}
static void timed_lock(int protocol) {
  pthread_mutexattr_t attributes;
  CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
  CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, protocol), 0);
  CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
  counter = 0;
  CHECK_EQ(pthread_create(&threads[0], NULL, hold_until_told, NULL), 0);
  while (counter == 0) sched_yield();
  struct timespec soon = in_milliseconds(CLOCK_REALTIME, 3), late = in_milliseconds(CLOCK_REALTIME, 60000);
  CHECK_EQ(pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
  counter = 2;
  CHECK_EQ(pthread_mutex_timedlock(&mutex, &late), 0);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
  CHECK_EQ(pthread_join(threads[0], NULL), 0);
}
static void timed_locks(void) { timed_lock(PTHREAD_PRIO_NONE); }
static void timed_locks_with_priority_inheritance(void) { timed_lock(PTHREAD_PRIO_INHERIT); }

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;
static void* in_turn(void* number) {
  for (int i = 0; i < 20; ++i) {
    pthread_mutex_lock(&mutex);
    while (turn % THREADS != (long)number) pthread_cond_wait(&condition, &mutex);
    ++turn;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}
static void conditions(void) {
  CHECK_EQ(pthread_mutex_init(&mutex, NULL), 0);
  start_all(in_turn);
  join_all();
  CHECK_EQ(turn, 20 * THREADS);
  struct timespec soon = in_milliseconds(CLOCK_REALTIME, 2);
  pthread_mutex_lock(&mutex);
  CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &soon), ETIMEDOUT);
  pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static int serial;
static void* meet(void* unused) {
  for (int i = 0; i < 30; ++i)
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
      __atomic_fetch_add(&serial, 1, __ATOMIC_SEQ_CST);
  return NULL;
}
static void barriers(void) {
  CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
  start_all(meet);
  join_all();
  CHECK_EQ(serial, 30);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];
static void* read_and_write(void* number) {
  for (int i = 0; i < 200; ++i) {
    if ((i + (long)number) % 5 == 0) {
      pthread_rwlock_wrlock(&rwlock);
      ++pair[0];
      if (i % 10 == 0) sched_yield();
      ++pair[1];
    } else {
      pthread_rwlock_rdlock(&rwlock);
      CHECK_EQ(pair[0], pair[1]);
      if (i % 10 == 0) sched_yield();
      CHECK_EQ(pair[0], pair[1]);
    }
    pthread_rwlock_unlock(&rwlock);
  }
  return NULL;
}
static void read_write_locks(void) {
  start_all(read_and_write);
  join_all();
  CHECK_EQ(pair[0], THREADS * 40);
}

static sem_t full, empty;
static int cell;
static void* produce(void* number) {
  for (int i = 0; i < 50; ++i) {
    sem_wait(&empty);
    cell = (int)(long)number * 1000 + i;
    sem_post(&full);
  }
  return NULL;
}
static void semaphores(void) {
  CHECK_EQ(sem_init(&full, 0, 0), 0);
  CHECK_EQ(sem_init(&empty, 0, 1), 0);
  start_all(produce);
  long sum = 0;
  for (int i = 0; i < 50 * THREADS; ++i) {
    sem_wait(&full);
    sum += cell;
    sem_post(&empty);
  }
  join_all();
  CHECK_EQ(sum, 50 * 1000 * (THREADS * (THREADS - 1) / 2) + THREADS * (49 * 50 / 2));
  struct timespec soon = in_milliseconds(CLOCK_REALTIME, 2);
  CHECK_ERRNO(sem_timedwait(&full, &soon), ETIMEDOUT);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;
static void initialise(void) {
  usleep(1000);
  ++initialised;
}
static void* call_once(void* unused) {
  CHECK_EQ(pthread_once(&once, initialise), 0);
  CHECK_EQ(initialised, 1);
  return NULL;
}
static void once_only(void) {
  start_all(call_once);
  join_all();
}

// --- the calls themselves ---

static long futex(uint32_t* word, int operation, uint32_t value, const void* timeout, uint32_t* other,
                  uint32_t value3) {
  return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, other, value3);
}

static uint32_t word, word2;
static volatile int waiting, woken;
static void* wait_on_word(void* bits) {
  __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
  CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, (uint32_t)(long)bits), 0);
  __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
  return NULL;
}
/// How many sleep on a word: moved from it to itself, they are counted and stay.
static long sleepers(uint32_t* on) { return futex(on, FUTEX_CMP_REQUEUE, 0, (void*)100L, on, *on); }
static void start_waiters(const long* bits) {
  waiting = woken = 0;
  for (int i = 0; i < THREADS; ++i)
    CHECK_EQ(pthread_create(&threads[i], NULL, wait_on_word, (void*)bits[i]), 0);
  while (waiting < THREADS || sleepers(&word) < THREADS) usleep(1000);
  CHECK_EQ(woken, 0);
}
static const long kAny[THREADS] = {-1, -1, -1, -1, -1, -1};

static void wake_some(void) {
  start_waiters(kAny);
  CHECK_EQ(futex(&word, FUTEX_WAKE, 2, NULL, NULL, 0), 2);
  CHECK_EQ(futex(&word, FUTEX_WAKE, 100, NULL, NULL, 0), THREADS - 2);
  CHECK_EQ(futex(&word, FUTEX_WAKE, 100, NULL, NULL, 0), 0);
  join_all();
  CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
}

static void wake_by_bitset(void) {
  static const long kBits[THREADS] = {1, 2, 4, 1, 2, 4};
  start_waiters(kBits);
  CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 100, NULL, NULL, 2), 2);
  CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 100, NULL, NULL, 8), 0);
  CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 5), 1);
  CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 100, NULL, NULL, 0xff), 3);
  join_all();
}

static void move_waiters(void) {
  start_waiters(kAny);
  CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE, 1, (void*)2L, &word2, 1), EAGAIN);
  CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE, 1, (void*)2L, &word2, 0), 3);
  CHECK_EQ(futex(&word2, FUTEX_WAKE, 100, NULL, NULL, 0), 2);
  CHECK_EQ(futex(&word, FUTEX_WAKE, 100, NULL, NULL, 0), THREADS - 3);
  join_all();
}

static void wake_and_change(void) {
  start_waiters(kAny);
  word2 = 5;
  const uint32_t add_two_if_above_six = FUTEX_OP(FUTEX_OP_ADD, 2, FUTEX_OP_CMP_GT, 6);
  CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void*)100L, &word2, add_two_if_above_six), 1);
  CHECK_EQ(word2, 7);
  CHECK_EQ(futex(&word2, FUTEX_WAKE_OP, 1, (void*)100L, &word, FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0)),
           THREADS - 1);
  join_all();
  word2 = 0;
}

static void* wait_on_either(void* unused) {
  struct {
    uint64_t value, address;
    uint32_t flags, reserved;
  } waits[2] = {{0, (uintptr_t)&word, 0x82, 0}, {0, (uintptr_t)&word2, 0x82, 0}};
  __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
  return (void*)syscall(449 /* futex_waitv */, waits, 2, 0, NULL, 0);
}
static void wait_for_several(void) {
  waiting = 0;
  CHECK_EQ(pthread_create(&threads[0], NULL, wait_on_either, NULL), 0);
  while (waiting == 0 || sleepers(&word2) < 1) usleep(1000);
  CHECK_EQ(futex(&word2, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
  void* result;
  CHECK_EQ(pthread_join(threads[0], &result), 0);
  CHECK_EQ((long)result, 1);
  CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

static void* nap(void* unused) {
  usleep(50000);
  return NULL;
}
static void time_outs(void) {
  CHECK_EQ(pthread_create(&threads[0], NULL, nap, NULL), 0);
  struct timespec relative = {0, 2000000}, absolute = in_milliseconds(CLOCK_MONOTONIC, 2);
  CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &relative, NULL, 0), ETIMEDOUT);
  CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &absolute, NULL, ~0u), ETIMEDOUT);
  absolute = in_milliseconds(CLOCK_REALTIME, 2);
  CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &absolute, NULL, ~0u), ETIMEDOUT);
  CHECK_EQ(pthread_join(threads[0], NULL), 0);
}

int main(void) {
  RUN(mutexes);
  RUN(mutexes_with_priority_inheritance);
  RUN(mutexes_that_check);
  RUN(robust_mutexes);
  RUN(robust_mutexes_with_priority_inheritance);
  RUN(timed_locks);
  RUN(timed_locks_with_priority_inheritance);
  RUN(conditions);
  RUN(barriers);
  RUN(read_write_locks);
  RUN(semaphores);
  RUN(once_only);
  RUN(wake_some);
  RUN(wake_by_bitset);
  RUN(move_waiters);
  RUN(wake_and_change);
  RUN(wait_for_several);
  RUN(time_outs);
  return 0;
}
