// A frame that cannot be written becomes SIGSEGV, which an alternate stack can still take.
#include <setjmp.h>

#include "check.h"

static sigjmp_buf back;
static volatile int segv_calls, usr_calls;

static void leave(int number, siginfo_t* info, void* context) {
  ++segv_calls;
  CHECK_EQ(info->si_code, SI_KERNEL);
  siglongjmp(back, 1);
}
static void never(int number, siginfo_t* info, void* context) { ++usr_calls; }

static void faults_are_forced(void) {
  static char stack[65536];
  stack_t mine = {.ss_sp = stack, .ss_size = sizeof stack};
  CHECK_EQ(sigaltstack(&mine, NULL), 0);
  on_signal(SIGSEGV, leave, SA_ONSTACK);
  on_signal(SIGUSR1, never, 0);
  const long pid = getpid();
  if (sigsetjmp(back, 1) == 0) {
    __asm__ volatile("mov $4096, %%rsp; mov $62, %%eax; syscall"
                     :
                     : "D"(pid), "S"((long)SIGUSR1)
                     : "rax", "rcx", "r11");
    CHECK(0);
  }
  CHECK_EQ(segv_calls, 1);
  CHECK_EQ(usr_calls, 0);

  // sigreturn from a frame that does not exist.
  if (sigsetjmp(back, 1) == 0) {
    __asm__ volatile("mov $4096, %%rsp; mov $15, %%eax; syscall" : : : "rax", "rcx", "r11");
    CHECK(0);
  }
  CHECK_EQ(segv_calls, 2);
}

int main(void) {
  RUN(faults_are_forced);
  return 0;
}
