// Threads come and go: what they share, what is their own, and how they and their process end.
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"

static pthread_t start(void* (*body)(void*), void* argument) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
  return thread;
}

static void* join(pthread_t thread) {
  void* result;
  CHECK_EQ(pthread_join(thread, &result), 0);
  return result;
}

static void* add_one(void* value) { return (void*)((long)value + 1); }
static void results(void) {
  for (long i = 0; i < 50; ++i) CHECK_EQ(join(start(add_one, (void*)i)), i + 1);
}

static void* own_id(void* unused) { return (void*)(long)syscall(SYS_gettid); }
static void ids(void) {
  const long first = (long)join(start(own_id, NULL)), second = (long)join(start(own_id, NULL));
  CHECK(first != getpid() && second != getpid() && first > 0 && second > 0);
  CHECK_EQ(syscall(SYS_gettid), getpid());
  CHECK(first != second);
}

static __thread int local = 7;
static void* change_local(void* value) {
  CHECK_EQ(local, 7);
  local = (int)(long)value;
  for (int i = 0; i < 10; ++i) sched_yield();
  return (void*)(long)local;
}
static void thread_local_storage(void) {
  pthread_t threads[8];
  for (long i = 0; i < 8; ++i) threads[i] = start(change_local, (void*)(100 + i));
  for (long i = 0; i < 8; ++i) CHECK_EQ(join(threads[i]), 100 + i);
  CHECK_EQ(local, 7);
}

static int destroyed;
static void destroy(void* value) { destroyed += (int)(long)value; }
static pthread_key_t key;
static void* with_key(void* value) {
  CHECK_EQ(pthread_setspecific(key, value), 0);
  return NULL;
}
static void specific_data(void) {
  CHECK_EQ(pthread_key_create(&key, destroy), 0);
  join(start(with_key, (void*)3));
  join(start(with_key, (void*)4));
  CHECK_EQ(destroyed, 7);
}

static volatile int running;
static void* count_in(void* unused) {
  __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&running, __ATOMIC_SEQ_CST) > 0) sched_yield();
  return NULL;
}
static void many_at_once(void) {
  enum { kThreads = 200 };
  static pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) threads[i] = start(count_in, NULL);
  while (running < kThreads) sched_yield();
  running = -1000;
  for (int i = 0; i < kThreads; ++i) join(threads[i]);
}

/// Spins without a system call: only the end of its quantum lets the others run.
static volatile int flag;
static void* spin(void* unused) {
  while (!flag) continue;
  return (void*)5L;
}
static void* raise_flag(void* unused) {
  flag = 1;
  return NULL;
}
static void spinning(void) {
  pthread_t spinner = start(spin, NULL), raiser = start(raise_flag, NULL);
  CHECK_EQ(join(spinner), 5);
  join(raiser);
}

static void* sleep_for_ever(void* unused) {
  for (;;) pause();
  return NULL;
}
static void cancellation(void) {
  pthread_t thread = start(sleep_for_ever, NULL);
  sched_yield();
  CHECK_EQ(pthread_cancel(thread), 0);
  CHECK_EQ(join(thread), PTHREAD_CANCELED);
}

/// setuid(2) of libc goes to every thread by signal 33.
static volatile int stop;
static void* uid_of_thread(void* unused) {
  while (!stop) sched_yield();
  return (void*)(long)syscall(SYS_getuid);
}
static void ids_of_all_threads(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) threads[i] = start(uid_of_thread, NULL);
  sched_yield();
  CHECK_EQ(setuid(getuid()), 0);
  stop = 1;
  for (int i = 0; i < 4; ++i) CHECK_EQ(join(threads[i]), getuid());
}

static void* vector_state(void* seed) {
  const double own = (double)(long)seed;
  double got, x87;
  unsigned control = 0x1f80 | (unsigned)((long)seed & 3) << 13, after;
  for (int i = 0; i < 200; ++i) {
    __asm__ volatile(
        "ldmxcsr %3\n movsd %2, %%xmm9\n fldl %2\n mov $24, %%eax\n syscall\n"  // sched_yield
        "movsd %%xmm9, %0\n fstpl %1\n stmxcsr %4"
        : "=m"(got), "=m"(x87)
        : "m"(own), "m"(control), "m"(after)
        : "rax", "rcx", "r11", "xmm9", "memory");
    CHECK(got == own && x87 == own);
    CHECK_EQ(after & 0xffc0, control & 0xffc0);
  }
  return NULL;
}
static void registers_are_their_own(void) {
  pthread_t threads[6];
  for (long i = 0; i < 6; ++i) threads[i] = start(vector_state, (void*)(i * 11 + 1));
  for (int i = 0; i < 6; ++i) join(threads[i]);
}

static void* rounding_of_maker(void* unused) {
  unsigned control;
  __asm__ volatile("stmxcsr %0" : "=m"(control));
  return (void*)(long)(control & 0x6000);
}
static void vector_state_is_inherited(void) {
  unsigned control = 0x1f80 | 0x4000, plain = 0x1f80;
  __asm__ volatile("ldmxcsr %0" ::"m"(control));
  pthread_t thread = start(rounding_of_maker, NULL);
  __asm__ volatile("ldmxcsr %0" ::"m"(plain));
  CHECK_EQ(join(thread), 0x4000);
}

static void clone_arguments(void) {
  CHECK_ERRNO(syscall(SYS_clone, 0x10000, 0, 0, 0, 0), EINVAL);  // CLONE_THREAD without CLONE_SIGHAND
  CHECK_ERRNO(syscall(SYS_clone, 0x10800, 0, 0, 0, 0), EINVAL);  // that without CLONE_VM
  CHECK_ERRNO(syscall(SYS_clone3, NULL, 8), EINVAL);
  CHECK_ERRNO(syscall(SYS_clone3, NULL, 64), EFAULT);
  CHECK_ERRNO(syscall(SYS_clone3, NULL, 1UL << 20), E2BIG);
}

/// The leader ends first; the last thread's end is the process's.
static void* last_words(void* unused) {
  for (int i = 0; i < 20; ++i) sched_yield();
  begin_case("leader_ends_first");
  _exit(0);
}
int main(void) {
  RUN(results);
  RUN(ids);
  RUN(thread_local_storage);
  RUN(specific_data);
  RUN(many_at_once);
  RUN(spinning);
  RUN(cancellation);
  RUN(ids_of_all_threads);
  RUN(registers_are_their_own);
  RUN(vector_state_is_inherited);
  RUN(clone_arguments);
  start(last_words, NULL);
  pthread_exit(NULL);
}
