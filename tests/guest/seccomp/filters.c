// Filters of system calls that a program installs for itself.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "check.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_CALL(number, action) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, (action))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))

static long install(struct sock_filter* filter, unsigned short count) {
  const struct sock_fprog program = {count, filter};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
#define INSTALL(filter) install((filter), sizeof(filter) / sizeof *(filter))

static void queries(void) {
  CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
  uint32_t action = SECCOMP_RET_ERRNO;
  CHECK_EQ(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), 0);
  action = 0x12340000;
  CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
  CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 8), EFAULT);
  struct seccomp_notif_sizes sizes;
  CHECK_EQ(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes), 0);
  CHECK_EQ(sizes.seccomp_data, 64);
  CHECK_ERRNO(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
}

static void malformed(void) {
  struct sock_filter none[] = {LOAD(nr)};
  CHECK_ERRNO(INSTALL(none), EINVAL);  // no return
  struct sock_filter far[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0), RETURN(SECCOMP_RET_ALLOW)};
  CHECK_ERRNO(INSTALL(far), EINVAL);
  struct sock_filter odd[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(SECCOMP_RET_ALLOW)};
  CHECK_ERRNO(INSTALL(odd), EINVAL);
  struct sock_filter beyond[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(SECCOMP_RET_ALLOW)};
  CHECK_ERRNO(INSTALL(beyond), EINVAL);
  struct sock_filter unwritten[] = {BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_STMT(BPF_RET | BPF_A, 0)};
  CHECK_ERRNO(INSTALL(unwritten), EINVAL);
  struct sock_filter by_zero[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(SECCOMP_RET_ALLOW)};
  CHECK_ERRNO(INSTALL(by_zero), EINVAL);
  struct sock_filter packets[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(SECCOMP_RET_ALLOW)};
  CHECK_ERRNO(INSTALL(packets), EINVAL);
  CHECK_ERRNO(install(none, 0), EINVAL);
  CHECK_ERRNO(install((void*)8, 1), EFAULT);
  CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x8000, none), EINVAL);
  CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
}

static void errors_instead(void) {
  CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  struct sock_filter filter[] = {LOAD(nr), IF_CALL(SYS_getppid, SECCOMP_RET_ERRNO | 77),
                                 IF_CALL(SYS_getpgrp, SECCOMP_RET_ERRNO | 0),
                                 IF_CALL(SYS_getsid, SECCOMP_RET_TRACE), RETURN(SECCOMP_RET_ALLOW)};
  CHECK_EQ(INSTALL(filter), 0);
  CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
  CHECK_ERRNO(syscall(SYS_getppid), 77);
  CHECK_EQ(syscall(SYS_getpgrp), 0);
  CHECK_ERRNO(syscall(SYS_getsid, 0), ENOSYS);
  CHECK(syscall(SYS_getpid) > 0);
}

static void arguments_count(void) {
  // dup of exactly this number, compared in both halves; of the later filter the stricter verdict counts.
  struct sock_filter filter[] = {
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 0, 5),
      LOAD(args[0]),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xfff0, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
      RETURN(SECCOMP_RET_ERRNO | EXDEV),
      RETURN(SECCOMP_RET_ALLOW)};
  CHECK_EQ(INSTALL(filter), 0);
  CHECK_ERRNO(syscall(SYS_dup, 0xfff0), EBADF);
  CHECK_ERRNO(syscall(SYS_dup, 0x10000fff0), EXDEV);
  struct sock_filter arithmetic[] = {LOAD(nr),
                                     BPF_STMT(BPF_ST, 2),
                                     BPF_STMT(BPF_LDX | BPF_MEM, 2),
                                     BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4),
                                     BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
                                     BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
                                     BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, SYS_getgid),
                                     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
                                     RETURN(SECCOMP_RET_ERRNO | EDOM),
                                     RETURN(SECCOMP_RET_ALLOW)};
  CHECK_EQ(INSTALL(arithmetic), 0);
  CHECK_ERRNO(syscall(SYS_getgid), EDOM);
  CHECK(syscall(SYS_getuid) >= 0);
}

static siginfo_t seen;
static long seen_rax, seen_rip;
static void on_sigsys(int number, siginfo_t* info, void* context) {
  ucontext_t* at = context;
  seen = *info;
  seen_rax = at->uc_mcontext.gregs[REG_RAX];
  seen_rip = at->uc_mcontext.gregs[REG_RIP];
  at->uc_mcontext.gregs[REG_RAX] = 12345;  // the handler does the call
}

static void traps(void) {
  struct sock_filter filter[] = {LOAD(nr), IF_CALL(SYS_getpriority, SECCOMP_RET_TRAP | 99),
                                 RETURN(SECCOMP_RET_ALLOW)};
  CHECK_EQ(INSTALL(filter), 0);
  on_signal(SIGSYS, on_sigsys, 0);
  CHECK_EQ(syscall(SYS_getpriority, 0, 0), 12345);
  CHECK_EQ(seen.si_signo, SIGSYS);
  CHECK_EQ(seen.si_code, 1);  // SYS_SECCOMP
  CHECK_EQ(seen.si_errno, 99);
  CHECK_EQ(seen.si_syscall, SYS_getpriority);
  CHECK_EQ(seen.si_arch, AUDIT_ARCH_X86_64);
  CHECK_EQ((long)seen.si_call_addr, seen_rip);
  CHECK_EQ(seen_rax, SYS_getpriority);
}

static void shown_in_status(void) {
  char text[8192];
  const int fd = open("/proc/self/status", O_RDONLY);
  size_t size = 0;
  for (ssize_t n; (n = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += (size_t)n;
  text[size] = '\0';
  CHECK(strstr(text, "\nSeccomp:\t2\n") != NULL);
  CHECK(strstr(text, "\nSeccomp_filters:\t4\n") != NULL);
  CHECK(strstr(text, "\nNoNewPrivs:\t1\n") != NULL);
  close(fd);
}

static void stays_a_filter(void) {
  CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL);
  CHECK_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
  struct timespec now;
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
}

int main(void) {
  RUN(queries);
  RUN(malformed);
  RUN(errors_instead);
  RUN(arguments_count);
  RUN(traps);
  RUN(shown_in_status);
  RUN(stays_a_filter);
  return 0;
}
