// Memory that processes share: what one stores the others see, and locks and semaphores in it work between
// them.
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "check.h"

static void* shared_page(void) {
  void* const page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  return page;
}

static void wait_for_all(void) {
  int status;
  while (wait(&status) > 0) CHECK_EQ(status, 0);
  CHECK_EQ(errno, ECHILD);
}

static void stores_are_seen(void) {
  volatile int* const word = shared_page();
  *word = 1;
  if (fork() == 0) {
    if (*word != 1) _exit(1);
    *word = 2;
    _exit(0);
  }
  wait_for_all();
  CHECK_EQ(*word, 2);
  munmap((void*)word, 4096);
}

static void spinning_for_each_other(void) {
  atomic_int* const turn = shared_page();
  if (fork() == 0) {
    for (int i = 1; i < 20; i += 2) {
      while (atomic_load(turn) != i) {
      }
      atomic_store(turn, i + 1);
    }
    _exit(0);
  }
  for (int i = 0; i < 20; i += 2) {
    while (atomic_load(turn) != i) {
    }
    atomic_store(turn, i + 1);
  }
  wait_for_all();
  CHECK_EQ(*turn, 20);
  munmap(turn, 4096);
}

static void mutex_between_processes(void) {
  struct {
    pthread_mutex_t mutex;
    int count, order;
  }* const shared = shared_page();
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &attributes);
  for (int child = 0; child < 3; ++child) {
    if (fork() != 0) continue;
    for (int i = 0; i < 500; ++i) {
      pthread_mutex_lock(&shared->mutex);
      const int before = shared->count;
      if (i % 100 == 0) usleep(100);  // with the lock held
      shared->count = before + 1;
      pthread_mutex_unlock(&shared->mutex);
    }
    _exit(0);
  }
  wait_for_all();
  CHECK_EQ(shared->count, 1500);
  munmap(shared, 4096);
}

static void semaphore_between_processes(void) {
  sem_t* const semaphore = shared_page();
  sem_init(semaphore, 1, 0);
  if (fork() == 0) {
    for (int i = 0; i < 10; ++i) {
      usleep(500);
      sem_post(semaphore);
    }
    _exit(0);
  }
  for (int i = 0; i < 10; ++i) CHECK_EQ(sem_wait(semaphore), 0);
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 20000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_sec += 1, soon.tv_nsec -= 1000000000;
  CHECK_ERRNO(sem_timedwait(semaphore, &soon), ETIMEDOUT);
  wait_for_all();
  munmap(semaphore, 4096);
}

static void condition_between_processes(void) {
  struct {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    int stage;
  }* const shared = shared_page();
  pthread_mutexattr_t for_mutex;
  pthread_mutexattr_init(&for_mutex);
  pthread_mutexattr_setpshared(&for_mutex, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &for_mutex);
  pthread_condattr_t for_condition;
  pthread_condattr_init(&for_condition);
  pthread_condattr_setpshared(&for_condition, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->condition, &for_condition);
  for (int child = 1; child <= 3; ++child) {
    if (fork() != 0) continue;
    pthread_mutex_lock(&shared->mutex);
    while (shared->stage != child) pthread_cond_wait(&shared->condition, &shared->mutex);
    ++shared->stage;
    pthread_cond_broadcast(&shared->condition);
    pthread_mutex_unlock(&shared->mutex);
    _exit(0);
  }
  pthread_mutex_lock(&shared->mutex);
  shared->stage = 1;
  pthread_cond_broadcast(&shared->condition);
  while (shared->stage != 4) pthread_cond_wait(&shared->condition, &shared->mutex);
  pthread_mutex_unlock(&shared->mutex);
  wait_for_all();
  munmap(shared, 4096);
}

static void robust_mutex_of_a_killed_process(void) {
  pthread_mutex_t* const mutex = shared_page();
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &attributes);
  const pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(mutex);
    _exit(0);
  }
  wait_for_all();
  CHECK_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
  CHECK_EQ(pthread_mutex_consistent(mutex), 0);
  CHECK_EQ(pthread_mutex_unlock(mutex), 0);
  munmap(mutex, 4096);
}

static void blocked_ones_hold_up_nobody(void) {
  volatile int* const word = shared_page();
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    _exit(read(ends[0], &byte, 1) == 1 && *word == 77 ? 0 : 1);
  }
  usleep(5000);
  *word = 77;
  CHECK_EQ(write(ends[1], "x", 1), 1);
  wait_for_all();
  close(ends[0]);
  close(ends[1]);
  munmap((void*)word, 4096);
}

static void a_killed_one_holds_up_nobody(void) {
  volatile int* const word = shared_page();
  const pid_t child = fork();
  if (child == 0)
    for (;;) *word = 1;
  while (*word == 0) {
  }
  CHECK_EQ(kill(child, SIGKILL), 0);
  int status;
  CHECK_EQ(wait(&status), child);
  CHECK_EQ(WTERMSIG(status), SIGKILL);
  *word = 3;
  munmap((void*)word, 4096);
}

int main(void) {
  RUN(stores_are_seen);
  RUN(spinning_for_each_other);
  RUN(mutex_between_processes);
  RUN(semaphore_between_processes);
  RUN(condition_between_processes);
  RUN(robust_mutex_of_a_killed_process);
  RUN(blocked_ones_hold_up_nobody);
  RUN(a_killed_one_holds_up_nobody);
  return 0;
}
