// User, group, session and scheduling calls that change nothing, or only this process.
#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <sys/wait.h>

#include "check.h"

static void users(void) {
  uid_t user = getuid(), one, two, three;
  gid_t group = getgid();
  CHECK_EQ(syscall(SYS_setuid, user), 0);
  CHECK_EQ(syscall(SYS_setgid, group), 0);
  CHECK_EQ(syscall(SYS_setreuid, -1, user), 0);
  CHECK_EQ(syscall(SYS_setregid, -1, group), 0);
  CHECK_EQ(syscall(SYS_setresuid, user, user, user), 0);
  CHECK_EQ(syscall(SYS_setresgid, group, group, group), 0);
  CHECK_EQ(syscall(SYS_getresgid, &one, &two, &three), 0);
  CHECK_EQ(one, group);
  CHECK_EQ(three, group);
  CHECK_EQ(syscall(SYS_setfsuid, -1), user);
  CHECK_EQ(syscall(SYS_setfsgid, -1), group);
  CHECK_EQ(syscall(SYS_getegid), group);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  CHECK_EQ(syscall(SYS_capget, &header, data), 0);
  CHECK_EQ(syscall(SYS_capset, &header, data), 0);
  header.version = 0;
  CHECK_EQ(syscall(SYS_capget, &header, NULL), 0);
  CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
}

static void scheduling(void) {
  struct sched_param parameter = {99};
  struct timespec slice;
  CHECK_EQ(syscall(SYS_sched_getparam, 0, &parameter), 0);
  CHECK_EQ(parameter.sched_priority, 0);
  CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
  CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_FIFO), 99);
  CHECK_EQ(syscall(SYS_sched_get_priority_min, SCHED_FIFO), 1);
  CHECK_EQ(syscall(SYS_sched_rr_get_interval, 0, &slice), 0);
  unsigned attributes[12];
  CHECK_EQ(syscall(SYS_sched_getattr, 0, attributes, sizeof attributes, 0), 0);
  CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 20 - getpriority(PRIO_PROCESS, 0));
  CHECK_EQ(syscall(SYS_ioprio_set, 1, 0, syscall(SYS_ioprio_get, 1, 0)), 0);
  struct timex clock = {0};
  CHECK(syscall(SYS_adjtimex, &clock) >= 0);
  CHECK(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &clock) >= 0);
  CHECK(syscall(SYS_membarrier, 0, 0, 0) >= 0);
}

static void robust_list(void) {
  struct {
    void* next;
    long offset;
    void* pending;
  } list = {&list, 0, NULL};
  void* head = NULL;
  size_t size = 0;
  CHECK_EQ(syscall(SYS_set_robust_list, &list, sizeof list), 0);
  CHECK_EQ(syscall(SYS_get_robust_list, 0, &head, &size), 0);
  CHECK(head == &list);
  CHECK_EQ(size, sizeof list);
  CHECK_ERRNO(syscall(SYS_set_robust_list, &list, 3), EINVAL);
}

static void nobody_to_wait_for(void) { CHECK_ERRNO(syscall(SYS_wait4, -1, NULL, 0, NULL), ECHILD); }

static void nothing_to_restart(void) { CHECK_ERRNO(syscall(SYS_restart_syscall), EINTR); }

static void limit_of_itself(void) {
  struct rlimit limit;
  CHECK_EQ(syscall(SYS_prlimit64, 0, RLIMIT_STACK, NULL, &limit), 0);
}

static void group_of_its_own(void) {
  if (syscall(SYS_getsid, 0) != getpid()) {
    CHECK_EQ(syscall(SYS_setpgid, 0, 0), 0);
    CHECK_EQ(getpgrp(), getpid());
    CHECK_ERRNO(syscall(SYS_setsid), EPERM);
  }
}

int main(void) {
  RUN(users);
  RUN(scheduling);
  RUN(robust_list);
  RUN(nobody_to_wait_for);
  RUN(nothing_to_restart);
  RUN(limit_of_itself);
  RUN(group_of_its_own);
  return 0;
}
