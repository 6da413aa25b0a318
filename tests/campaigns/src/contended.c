// Four threads that contend for one lock, one condition, one word that they spin on and one that only the
// luckiest write to. Prints what depends on who came when: two runs of it hardly ever print the same.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define THREADS 4

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static uint64_t locked_order = 14695981039346656037u, spun_order = 14695981039346656037u;
static volatile uint64_t racy;
static int spin_word, tokens;

static uint64_t mix(uint64_t hash, uint64_t value) { return (hash ^ value) * 1099511628211u; }

static void under_lock(unsigned number) {
  pthread_mutex_lock(&mutex);
  locked_order = mix(locked_order, number);
  if (tokens == 0 && number % 2 == 0) {
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 200000;
    soon.tv_sec += soon.tv_nsec / 1000000000;
    soon.tv_nsec %= 1000000000;
    if (pthread_cond_timedwait(&condition, &mutex, &soon) != 0) locked_order = mix(locked_order, 9);
  }
  if (number % 2 == 0) {
    tokens -= tokens > 0;
  } else {
    ++tokens;
    pthread_cond_signal(&condition);
  }
  pthread_mutex_unlock(&mutex);
}

static void under_spin_lock(unsigned number) {
  while (__atomic_exchange_n(&spin_word, 1, __ATOMIC_ACQUIRE) != 0)
    while (__atomic_load_n(&spin_word, __ATOMIC_RELAXED) != 0) __builtin_ia32_pause();
  spun_order = mix(spun_order, number);
  for (volatile int i = 0; i < 300; ++i) continue;
  __atomic_store_n(&spin_word, 0, __ATOMIC_RELEASE);
}

static void* contend(void* argument) {
  const unsigned number = (unsigned)(uintptr_t)argument;
  uint64_t worked = number;
  for (int round = 0; round < 800; ++round) {
    under_lock(number);
    for (int i = 0; i < 20; ++i) under_spin_lock(number);
    for (int i = 0; i < 4000; ++i) worked = mix(worked, racy = mix(racy, number));
  }
  return (void*)worked;
}

int main(void) {
  pthread_t threads[THREADS];
  uint64_t all = 0;
  for (uintptr_t i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, contend, (void*)i);
  for (int i = 0; i < THREADS; ++i) {
    void* worked;
    pthread_join(threads[i], &worked);
    all = mix(all, (uintptr_t)worked);
  }
  printf("locked %016lx spun %016lx raced %016lx worked %016lx\n", locked_order, spun_order, racy, all);
  return 0;
}
