// Who the process is, what it runs on, and what it may be told about itself.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "check.h"

static void who_am_i(void) {
  CHECK_EQ(syscall(SYS_getpid), getpid());
  CHECK_EQ(syscall(SYS_gettid), getpid());
  CHECK(getppid() > 0);
  CHECK(getpgrp() > 0);
  CHECK_EQ(getpgid(0), getpgrp());
  CHECK_EQ(getpgid(getpid()), getpgrp());
  CHECK_EQ(getsid(0), getsid(getpid()));
  CHECK_EQ(syscall(SYS_set_tid_address, NULL), getpid());
  uid_t real, effective, saved;
  CHECK_EQ(getresuid(&real, &effective, &saved), 0);
  CHECK_EQ(real, getuid());
  CHECK_EQ(effective, geteuid());
  gid_t groups[256];
  int count = getgroups(0, NULL);
  CHECK(count >= 0);
  CHECK_EQ(getgroups(256, groups), count);

  struct utsname name;
  CHECK_EQ(uname(&name), 0);
  CHECK_EQ(strcmp(name.sysname, "Linux"), 0);
  CHECK_EQ(strcmp(name.machine, "x86_64"), 0);
  struct sysinfo info;
  CHECK_EQ(sysinfo(&info), 0);
  CHECK(info.totalram > 0);

  char text[16];
  CHECK_EQ(prctl(PR_SET_NAME, "a long name that is cut"), 0);
  CHECK_EQ(prctl(PR_GET_NAME, text), 0);
  CHECK_EQ(strcmp(text, "a long name tha"), 0);
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
  CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
  CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 2), EINVAL);
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  CHECK_ERRNO(prctl(987654), EINVAL);

  unsigned char random[32] = {0};
  CHECK_EQ(getrandom(random, sizeof random, 0), sizeof random);
  int set = 0;
  for (size_t i = 0; i < sizeof random; i++) set += random[i] != 0;
  CHECK(set > 16);
  CHECK_ERRNO(getrandom(random, 1, 0x100), EINVAL);

  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CHECK_EQ(sched_getaffinity(0, sizeof cpus, &cpus), 0);
  CHECK(CPU_COUNT(&cpus) >= 1);
  unsigned cpu = 9999, node = 9999;
  CHECK_EQ(syscall(SYS_getcpu, &cpu, &node, NULL), 0);
  CHECK(cpu < 9999 && node < 9999);
  CHECK_EQ(sched_yield(), 0);
  unsigned long base = 0;
  CHECK_EQ(syscall(SYS_arch_prctl, 0x1003, &base), 0);  // ARCH_GET_FS
  CHECK(base != 0);
  CHECK_EQ(syscall(SYS_arch_prctl, 0x1001, 0x12345000), 0);  // ARCH_SET_GS
  CHECK_EQ(syscall(SYS_arch_prctl, 0x1004, &base), 0);
  CHECK_EQ(base, 0x12345000);
  CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1002, -1L), EPERM);
  CHECK_ERRNO(syscall(SYS_arch_prctl, 0x7777, 0), EINVAL);
}

int main(void) {
  RUN(who_am_i);
  return 0;
}
