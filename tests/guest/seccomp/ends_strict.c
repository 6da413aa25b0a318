// status: 137
// The strict mode: read, write, exit and sigreturn; anything else ends the process by SIGKILL.
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "check.h"

static void strict(void) {
  int pipes[2];
  char byte = 'x';
  CHECK_EQ(pipe(pipes), 0);
  CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
  CHECK_EQ(write(pipes[1], &byte, 1), 1);
  CHECK_EQ(read(pipes[0], &byte, 1), 1);
  syscall(SYS_getpid);
  syscall(SYS_exit, 2);
}

int main(void) {
  RUN(strict);
  return 0;
}
