// What a thread is told of its own place in the scheduler, and of another's, by its id.
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"

static void look_at(pid_t task) {
  struct sched_param parameters = {.sched_priority = 77};
  struct timespec quantum;
  CHECK_EQ(sched_getscheduler(task), SCHED_OTHER);
  CHECK_EQ(sched_getparam(task, &parameters), 0);
  CHECK_EQ(parameters.sched_priority, 0);
  CHECK_EQ(sched_rr_get_interval(task, &quantum), 0);
  char attributes[56] = {0};
  CHECK_EQ(syscall(SYS_sched_getattr, task, attributes, sizeof attributes, 0), 0);
  errno = 0;
  CHECK_EQ(getpriority(PRIO_PROCESS, task), getpriority(PRIO_PROCESS, 0));
  CHECK_EQ(errno, 0);
}

static void* look(void* other) {
  look_at(0);
  look_at(syscall(SYS_gettid));
  look_at(*(pid_t*)other);
  struct sched_param parameters;
  int policy = -1;
  CHECK_EQ(pthread_getschedparam(pthread_self(), &policy, &parameters), 0);
  CHECK_EQ(policy, SCHED_OTHER);
  return NULL;
}

static void of_a_thread(void) {
  pid_t leader = getpid();
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, look, &leader), 0);
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

// --- a thread that sleeps, whose place others change ---

static volatile pid_t sleeper;
static volatile int sleeper_ends;
static void* sleep_on(void* unused) {
  sleeper = (pid_t)syscall(SYS_gettid);
  while (!sleeper_ends) usleep(1000);
  return unused;
}

static void set_by_another_thread(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleep_on, NULL), 0);
  while (sleeper == 0) usleep(1000);
  const int own = getpriority(PRIO_PROCESS, 0);
  const struct sched_param none = {0}, some = {.sched_priority = 3};
  CHECK_EQ(sched_setscheduler(sleeper, SCHED_BATCH, &none), 0);
  CHECK_EQ(sched_getscheduler(sleeper), SCHED_BATCH);
  CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
  CHECK_ERRNO(sched_setscheduler(sleeper, SCHED_BATCH, &some), EINVAL);
  CHECK_ERRNO(sched_setscheduler(sleeper, 77, &none), EINVAL);
  CHECK_EQ(setpriority(PRIO_PROCESS, (id_t)sleeper, 5), 0);
  CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)sleeper), 5);
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), own);
  CHECK_EQ(sched_setparam(sleeper, &none), 0);
  CHECK_ERRNO(sched_setparam(sleeper, &some), EINVAL);
  struct {
    unsigned size, policy;
    unsigned long flags;
    int nice;
    unsigned priority;
    unsigned long deadlines[3];
  } attributes = {.size = 48};
  CHECK_EQ(syscall(SYS_sched_getattr, sleeper, &attributes, 48, 0), 0);
  CHECK_EQ(attributes.policy, SCHED_BATCH);
  CHECK_EQ(attributes.nice, 5);
  attributes.policy = SCHED_IDLE;
  attributes.size = 48;
  CHECK_EQ(syscall(SYS_sched_setattr, sleeper, &attributes, 0), 0);
  CHECK_EQ(sched_getscheduler(sleeper), SCHED_IDLE);
  CHECK_ERRNO(setpriority(PRIO_PROCESS, 99999999, 5), ESRCH);
  sleeper_ends = 1;
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

/// What a thread is not given without the right to it, it does not have.
static void a_real_time_policy(void) {
  sleeper = 0;
  sleeper_ends = 0;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleep_on, NULL), 0);
  while (sleeper == 0) usleep(1000);
  const struct sched_param priority = {.sched_priority = 3};
  if (sched_setscheduler(sleeper, SCHED_FIFO, &priority) == 0) {
    struct sched_param now = {0};
    CHECK_EQ(sched_getscheduler(sleeper), SCHED_FIFO);
    CHECK_EQ(sched_getparam(sleeper, &now), 0);
    CHECK_EQ(now.sched_priority, 3);
  } else {
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(sched_getscheduler(sleeper), SCHED_OTHER);
  }
  CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
  sleeper_ends = 1;
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void of_another_process(void) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  CHECK_EQ(setpriority(PRIO_PROCESS, child, 7), 0);
  CHECK_EQ(getpriority(PRIO_PROCESS, child), 7);
  CHECK_EQ(sched_getscheduler(child), SCHED_OTHER);
  CHECK_EQ(kill(child, SIGKILL), 0);
  CHECK_EQ(waitpid(child, NULL, 0), child);
  CHECK_ERRNO(sched_getscheduler(child), ESRCH);
  CHECK_ERRNO(getpriority(PRIO_PROCESS, child), ESRCH);
}

int main(void) {
  RUN(of_a_thread);
  RUN(set_by_another_thread);
  RUN(a_real_time_policy);
  RUN(of_another_process);
  return 0;
}
