// Programs with two or three threads, each a function of its own: those that race do so on the lines that say
// so.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

typedef void* body(void*);

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER,
                       third = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_barrier_t meeting;
static sem_t items;
static pthread_once_t done = PTHREAD_ONCE_INIT;
static long counter, data[8];
static volatile int ready;
static atomic_int flag, users;
static char letters[8];
static __thread long own;

static void run2(body* a, body* b) {
  pthread_t t1, t2;
  pthread_create(&t1, NULL, a, NULL);
  pthread_create(&t2, NULL, b, NULL);
  pthread_join(t1, NULL);
  pthread_join(t2, NULL);
}

NOINLINE static void add(void) { counter++; }
NOINLINE static void add_too(void) { counter += 2; }

// --- locks ---
static void* without_lock(void* _) {
  add();
  return _;
}
static void* without_lock_too(void* _) {
  add_too();
  return _;
}
static void missing_lock(void) { run2(without_lock, without_lock_too); }

static void* with_one(void* _) {
  pthread_mutex_lock(&one);
  add();
  pthread_mutex_unlock(&one);
  return _;
}
static void* with_other(void* _) {
  pthread_mutex_lock(&other);
  add_too();
  pthread_mutex_unlock(&other);
  return _;
}
static void wrong_lock(void) { run2(with_one, with_other); }
static void one_forgets(void) { run2(with_one, without_lock_too); }
static void same_lock(void) { run2(with_one, with_one); }

static void* try_lock(void* _) {
  while (pthread_mutex_trylock(&one) != 0) sched_yield();
  add();
  pthread_mutex_unlock(&one);
  return _;
}
static void tried_lock(void) { run2(try_lock, with_one); }

static void* spins(void* _) {
  pthread_spin_lock(&spin);
  add();
  pthread_spin_unlock(&spin);
  return _;
}
static void spinlock(void) {
  pthread_spin_init(&spin, 0);
  run2(spins, spins);
}

static mtx_t c11_lock;
static void* c11_locks(void* _) {
  mtx_lock(&c11_lock);
  add();
  mtx_unlock(&c11_lock);
  return _;
}
static void c11_mutex(void) {
  mtx_init(&c11_lock, mtx_plain);
  run2(c11_locks, c11_locks);
}

// --- readers and writers ---
NOINLINE static long look(void) {
  __asm__ volatile("");  // so that the call is not left out
  return counter;
}
static void* reads(void* _) {
  pthread_rwlock_rdlock(&shared);
  look();
  pthread_rwlock_unlock(&shared);
  return _;
}
static void* writes(void* _) {
  pthread_rwlock_wrlock(&shared);
  add();
  pthread_rwlock_unlock(&shared);
  return _;
}
static void* writes_as_reader(void* _) {
  pthread_rwlock_rdlock(&shared);
  add();
  pthread_rwlock_unlock(&shared);
  return _;
}
static void* writes_too_as_reader(void* _) {
  pthread_rwlock_rdlock(&shared);
  add_too();
  pthread_rwlock_unlock(&shared);
  return _;
}
static void rwlock(void) { run2(reads, writes); }
static void rwlock_for_reading(void) { run2(writes_as_reader, writes_too_as_reader); }

// --- publication ---
NOINLINE static void fill(void) { data[0] = 42; }
NOINLINE static long take(void) {
  __asm__ volatile("");
  return data[0];
}
static void* publishes(void* _) {
  fill();
  ready = 1;
  return _;
}
static void* awaits(void* _) {
  while (!ready) sched_yield();
  take();
  return _;
}
static void publication(void) { run2(publishes, awaits); }

static void* releases(void* _) {
  fill();
  atomic_store_explicit(&flag, 1, memory_order_release);
  return _;
}
static void* acquires(void* _) {
  while (atomic_load_explicit(&flag, memory_order_acquire) == 0) sched_yield();
  take();
  return _;
}
static void release_acquire(void) { run2(releases, acquires); }
static void acquire_first(void) { run2(acquires, releases); }

static void* releases_relaxed(void* _) {
  fill();
  atomic_store_explicit(&flag, 1, memory_order_relaxed);
  return _;
}
static void* acquires_relaxed(void* _) {
  while (atomic_load_explicit(&flag, memory_order_relaxed) == 0) sched_yield();
  take();
  return _;
}
static void relaxed(void) { run2(releases_relaxed, acquires_relaxed); }

static void* counts(void* _) {
  atomic_fetch_add(&users, 1);
  return _;
}
static void atomic_counter(void) { run2(counts, counts); }

static long* lazy;
NOINLINE static long* make(void) {
  long* made = malloc(sizeof *made);
  *made = 7;
  return made;
}
static void* double_check(void* _) {
  if (!lazy) {
    pthread_mutex_lock(&one);
    if (!lazy) lazy = make();
    pthread_mutex_unlock(&one);
  }
  return _;
}
static void double_checked(void) { run2(double_check, double_check); }

// --- conditions, semaphores, barriers, once ---
static void* sends(void* _) {
  pthread_mutex_lock(&one);
  fill();
  ready = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&one);
  return _;
}
static void* receives(void* _) {
  pthread_mutex_lock(&one);
  while (!ready) pthread_cond_wait(&changed, &one);
  pthread_mutex_unlock(&one);
  take();
  return _;
}
static void condition(void) { run2(receives, sends); }

static void* sends_without_lock(void* _) {
  fill();
  ready = 1;
  pthread_cond_signal(&changed);
  return _;
}
static void* looks_with_lock(void* _) {
  pthread_mutex_lock(&one);
  if (ready) add();
  pthread_mutex_unlock(&one);
  return _;
}
static void unlocked_condition(void) { run2(sends_without_lock, looks_with_lock); }

static void* posts(void* _) {
  fill();
  sem_post(&items);
  return _;
}
static void* takes(void* _) {
  sem_wait(&items);
  take();
  return _;
}
static void* posts_too_early(void* _) {
  sem_post(&items);
  fill();
  return _;
}
static void semaphore(void) {
  sem_init(&items, 0, 0);
  run2(takes, posts);
}
static void semaphore_too_early(void) {
  sem_init(&items, 0, 0);
  run2(takes, posts_too_early);
}

static void* fills_and_meets(void* _) {
  fill();
  pthread_barrier_wait(&meeting);
  return _;
}
static void* meets_and_takes(void* _) {
  pthread_barrier_wait(&meeting);
  take();
  return _;
}
static void* takes_and_meets(void* _) {
  take();
  pthread_barrier_wait(&meeting);
  return _;
}
static void barrier(void) {
  pthread_barrier_init(&meeting, NULL, 2);
  run2(fills_and_meets, meets_and_takes);
}
static void barrier_too_late(void) {
  pthread_barrier_init(&meeting, NULL, 2);
  run2(fills_and_meets, takes_and_meets);
}

static void* initializes(void* _) {
  pthread_once(&done, fill);
  take();
  return _;
}
static void once(void) { run2(initializes, initializes); }

// --- threads ---
static void* fills(void* _) {
  fill();
  return _;
}
static void joined(void) {
  pthread_t thread;
  fill();
  pthread_create(&thread, NULL, fills, NULL);
  pthread_join(thread, NULL);
  take();
}
static void not_yet_joined(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, fills, NULL);
  take();
  pthread_join(thread, NULL);
}

static void* uses_own(void* _) {
  own++;
  return (void*)own;
}
static void thread_local_counter(void) { run2(uses_own, uses_own); }

NOINLINE static void set(long* where, long what) { *where = what; }
NOINLINE static void set_too(long* where, long what) { *where = what; }
static void* sets(void* where) {
  set(where, 1);
  return NULL;
}
static void stack_variable(void) {
  pthread_t thread;
  long here = 0;
  pthread_create(&thread, NULL, sets, &here);
  set_too(&here, 2);
  pthread_join(thread, NULL);
}

static void heap_block(void) {
  pthread_t thread;
  long* block = malloc(10 * sizeof *block);
  pthread_create(&thread, NULL, sets, block + 4);
  set_too(block + 4, 2);
  pthread_join(thread, NULL);
  free(block);
}
static void* sets_and_frees(void* block) {
  set(block, 1);
  free(block);
  return NULL;
}
static void block_moves(void) {
  pthread_t thread;
  for (int at = 0; at < 3; at++) {
    long* block = malloc(64);
    set_too(block, 2);
    pthread_create(&thread, NULL, sets_and_frees, block);
    pthread_join(thread, NULL);
  }
}
static void* frees(void* block) {
  usleep(200000);
  free(block);
  return NULL;
}
static void freed_in_use(void) {
  pthread_t thread;
  long* block = malloc(64);
  set(block, 0);
  pthread_create(&thread, NULL, frees, block);
  set_too(block, 2);
  pthread_join(thread, NULL);
}

static void* copies(void* _) {
  memcpy(data, letters, sizeof letters);
  return _;
}
static void* looks(void* _) {
  take();
  return _;
}
static void copied(void) { run2(copies, looks); }

static void* writes_letter(void* at) {
  *(char*)at = 'x';
  return NULL;
}
static void neighbours(void) {
  pthread_t threads[8];
  for (int at = 0; at < 8; at++) pthread_create(&threads[at], NULL, writes_letter, &letters[at]);
  for (int at = 0; at < 8; at++) pthread_join(threads[at], NULL);
}

static void* prints(void* _) {
  printf("%s", "");
  fprintf(stderr, "%d\n", 1);
  free(malloc(300));
  return _;
}
static void library(void) { run2(prints, prints); }

// --- orders of locks ---
static void take_both(pthread_mutex_t* first, pthread_mutex_t* second) {
  pthread_mutex_lock(first);
  pthread_mutex_lock(second);
  pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}
static void two_orders(void) {
  take_both(&one, &other);
  take_both(&other, &one);
}
static void one_order(void) {
  take_both(&one, &other);
  take_both(&one, &third);
  take_both(&other, &third);
}
static void three_orders(void) {
  take_both(&one, &other);
  take_both(&other, &third);
  take_both(&third, &one);
}

// --- wrong uses of locks ---
static void unlocks_free(void) { pthread_mutex_unlock(&one); }
static void* unlocks(void* _) {
  pthread_mutex_unlock(&one);
  return _;
}
static void unlocks_others(void) {
  pthread_t thread;
  pthread_mutex_lock(&one);
  pthread_create(&thread, NULL, unlocks, NULL);
  pthread_join(thread, NULL);
}
static void destroys_held(void) {
  pthread_mutex_lock(&one);
  pthread_mutex_destroy(&one);
}
static void frees_held(void) {
  pthread_mutex_t* lock = malloc(sizeof *lock);
  pthread_mutex_init(lock, NULL);
  pthread_mutex_lock(lock);
  free(lock);
}
static void* locks(void* _) {
  pthread_mutex_lock(&one);
  return _;
}
static void exits_holding(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, locks, NULL);
  pthread_join(thread, NULL);
}
static void locks_twice(void) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&third, &kind);
  pthread_mutex_lock(&third);
  pthread_mutex_lock(&third);
  pthread_mutex_unlock(&third);
  pthread_mutex_unlock(&third);
}

#define CASE(name) \
  { #name, name }
static const struct {
  const char* name;
  void (*run)(void);
} cases[] = {
    CASE(missing_lock),
    CASE(wrong_lock),
    CASE(one_forgets),
    CASE(same_lock),
    CASE(tried_lock),
    CASE(spinlock),
    CASE(c11_mutex),
    CASE(rwlock),
    CASE(rwlock_for_reading),
    CASE(publication),
    CASE(release_acquire),
    CASE(acquire_first),
    CASE(relaxed),
    CASE(atomic_counter),
    CASE(double_checked),
    CASE(condition),
    CASE(unlocked_condition),
    CASE(semaphore),
    CASE(semaphore_too_early),
    CASE(barrier),
    CASE(barrier_too_late),
    CASE(once),
    CASE(joined),
    CASE(not_yet_joined),
    CASE(thread_local_counter),
    CASE(stack_variable),
    CASE(heap_block),
    CASE(block_moves),
    CASE(freed_in_use),
    CASE(copied),
    CASE(neighbours),
    CASE(library),
    CASE(two_orders),
    CASE(one_order),
    CASE(three_orders),
    CASE(unlocks_free),
    CASE(unlocks_others),
    CASE(destroys_held),
    CASE(frees_held),
    CASE(exits_holding),
    CASE(locks_twice),
};

int main(int count, char** words) {
  for (unsigned at = 0; at < sizeof cases / sizeof *cases; at++) {
    if (count == 1) puts(cases[at].name);
    if (count == 2 && strcmp(words[1], cases[at].name) == 0) cases[at].run();
  }
  return 0;
}
