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
  RUN(of_another_process);
  return 0;
}
