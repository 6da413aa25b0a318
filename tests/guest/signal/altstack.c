// sigaltstack: where handlers run, what is told and refused, SS_AUTODISARM, overflows.
#include <setjmp.h>
#include <stddef.h>
#include <sys/auxv.h>

#include "check.h"

#define AUTODISARM ((int)(1u << 31))

static char* stack;
static const size_t size = 65536;
static volatile int calls;
static sigjmp_buf back;
static ucontext_t seen;
static stack_t told;

static int on_stack(const void* p) { return (const char*)p >= stack && (const char*)p < stack + size; }
static void set(int flags) {
  const stack_t mine = {.ss_sp = stack, .ss_size = size, .ss_flags = flags};
  CHECK_EQ(sigaltstack(&mine, NULL), 0);
  calls = 0;
}
static void unset(void) {
  const stack_t off = {.ss_flags = SS_DISABLE};
  CHECK_EQ(sigaltstack(&off, NULL), 0);
}

static volatile int was_on_stack;
static void look(int number, siginfo_t* info, void* context) {
  int here;
  ++calls;
  was_on_stack = on_stack(&here);
  CHECK_EQ(sigaltstack(NULL, &told), 0);
  memcpy(&seen, context, offsetof(ucontext_t, uc_mcontext));
}

static void none_at_first(void) {
  stack_t old;
  CHECK_EQ(sigaltstack(NULL, &old), 0);
  CHECK_EQ(old.ss_flags, SS_DISABLE);
  CHECK_EQ(old.ss_size, 0);
}
static void handler_runs_there(void) {
  set(0);
  on_signal(SIGUSR1, look, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(was_on_stack, 1);
  CHECK_EQ(told.ss_flags, SS_ONSTACK);
  CHECK(told.ss_sp == stack);
  CHECK(seen.uc_stack.ss_sp == stack);
  CHECK_EQ(seen.uc_stack.ss_size, size);
  CHECK_EQ(seen.uc_stack.ss_flags, 0);
  unset();
}
static void handler_without_onstack_does_not(void) {
  set(0);
  on_signal(SIGUSR1, look, 0);
  raise(SIGUSR1);
  CHECK_EQ(was_on_stack, 0);
  CHECK_EQ(told.ss_flags, 0);
  unset();
}
static void onstack_without_a_stack(void) {
  on_signal(SIGUSR1, look, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(was_on_stack, 0);
}
static volatile uintptr_t places[2];
static void nested(int number, siginfo_t* info, void* context) {
  int here;
  places[number == SIGUSR2] = (uintptr_t)&here;
  if (number == SIGUSR1) raise(SIGUSR2);
}
static void nested_handlers_share_it(void) {
  set(0);
  on_signal(SIGUSR1, nested, SA_ONSTACK);
  on_signal(SIGUSR2, nested, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK(on_stack((void*)places[0]) && on_stack((void*)places[1]));
  CHECK(places[1] < places[0]);
  unset();
}
static void change_while_there(int number, siginfo_t* info, void* context) {
  const stack_t other = {.ss_sp = stack, .ss_size = size}, off = {.ss_flags = SS_DISABLE};
  ++calls;
  CHECK_ERRNO(sigaltstack(&other, NULL), EPERM);
  CHECK_ERRNO(sigaltstack(&off, NULL), EPERM);
}
static void no_change_while_in_use(void) {
  set(0);
  on_signal(SIGUSR1, change_while_there, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
  unset();
}
static void too_small(void) {
  stack_t small = {.ss_sp = stack, .ss_size = 1024};
  CHECK_ERRNO(sigaltstack(&small, NULL), ENOMEM);
  small.ss_size = 0;
  CHECK_ERRNO(sigaltstack(&small, NULL), ENOMEM);
}
static void small_but_disabled(void) {
  const stack_t small = {.ss_sp = (void*)5, .ss_size = 7, .ss_flags = SS_DISABLE};
  CHECK_EQ(sigaltstack(&small, NULL), 0);
  none_at_first();
}
static void least_size_is_told(void) {
  const size_t least = getauxval(51 /* AT_MINSIGSTKSZ */);
  CHECK(least >= 2048 - 1200);
  set(0);
  stack_t enough = {.ss_sp = stack, .ss_size = least + 2048};
  CHECK_EQ(sigaltstack(&enough, NULL), 0);
  on_signal(SIGUSR1, look, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(was_on_stack, 1);
  unset();
}
static void unknown_flags(void) {
  const stack_t odd = {.ss_sp = stack, .ss_size = size, .ss_flags = 16};
  CHECK_ERRNO(sigaltstack(&odd, NULL), EINVAL);
}
static void onstack_as_a_flag(void) {
  set(SS_ONSTACK);  // accepted, and means nothing
  stack_t old;
  CHECK_EQ(sigaltstack(NULL, &old), 0);
  CHECK_EQ(old.ss_flags, 0);
  on_signal(SIGUSR1, look, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(was_on_stack, 1);
  unset();
}
static void bad_addresses(void) {
  CHECK_ERRNO(sigaltstack((void*)8, NULL), EFAULT);
  CHECK_ERRNO(sigaltstack(NULL, (void*)8), EFAULT);
}
static void old_and_new_in_one_call(void) {
  set(0);
  stack_t both = {.ss_sp = stack + 4096, .ss_size = size - 4096};
  CHECK_EQ(syscall(SYS_sigaltstack, &both, &both), 0);
  CHECK(both.ss_sp == stack);
  CHECK_EQ(sigaltstack(NULL, &both), 0);
  CHECK(both.ss_sp == stack + 4096);
  unset();
}

static void autodisarm_disarms(void) {
  set(AUTODISARM);
  on_signal(SIGUSR1, look, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(was_on_stack, 1);
  CHECK_EQ(told.ss_flags, SS_DISABLE);
  CHECK_EQ(seen.uc_stack.ss_flags, AUTODISARM);
  unset();
}
static void autodisarm_arms_again(void) {
  stack_t old;
  set(AUTODISARM);
  raise(SIGUSR1);
  CHECK_EQ(sigaltstack(NULL, &old), 0);
  CHECK_EQ(old.ss_flags, AUTODISARM);
  CHECK(old.ss_sp == stack);
  CHECK_EQ(old.ss_size, size);
  unset();
}
static void set_inside(int number, siginfo_t* info, void* context) {
  ++calls;
  const stack_t mine = {.ss_sp = stack, .ss_size = size, .ss_flags = AUTODISARM};
  CHECK_EQ(sigaltstack(&mine, NULL), 0);
}
static void autodisarm_can_be_set_inside(void) {
  set(AUTODISARM);
  on_signal(SIGUSR1, set_inside, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
  unset();
}
static void leave(int number, siginfo_t* info, void* context) {
  ++calls;
  siglongjmp(back, 1);
}
static void autodisarm_and_longjmp(void) {
  stack_t old;
  set(AUTODISARM);
  on_signal(SIGUSR1, leave, SA_ONSTACK);
  if (sigsetjmp(back, 1) == 0) raise(SIGUSR1);
  CHECK_EQ(sigaltstack(NULL, &old), 0);
  CHECK_EQ(old.ss_flags, SS_DISABLE);  // nobody armed it again
  set(AUTODISARM);
  unset();
}
static void disable_with_autodisarm(void) {
  const stack_t off = {.ss_flags = SS_DISABLE | AUTODISARM};
  stack_t old;
  CHECK_EQ(sigaltstack(&off, NULL), 0);
  CHECK_EQ(sigaltstack(NULL, &old), 0);
  CHECK_EQ(old.ss_flags, SS_DISABLE | AUTODISARM);
  unset();
}

static volatile int sink;
static __attribute__((noinline)) int overflow(int depth) {
  volatile char room[4096];
  if (depth < 0) return 0;
  room[depth % 4096] = (char)depth;
  sink = overflow(depth + 1) + room[0];
  return sink;
}
static volatile int fault_code;
static void escape(int number, siginfo_t* info, void* context) {
  int here;
  ++calls;
  fault_code = info->si_code;
  CHECK(on_stack(&here));
  siglongjmp(back, 1);
}
static void overflow_of_the_stack(void) {
  set(0);
  on_signal(SIGSEGV, escape, SA_ONSTACK);
  for (int i = 0; i < 3; i++)
    if (sigsetjmp(back, 1) == 0) overflow(0);
  CHECK_EQ(calls, 3);
  CHECK(fault_code == SEGV_MAPERR || fault_code == SEGV_ACCERR);
  unset();
}
static void never(int number, siginfo_t* info, void* context) { CHECK(0); }
/// The frame of SIGUSR1 cannot be written, so SIGSEGV comes instead, on the alternate stack.
static void frame_that_cannot_be_written(void) {
  const long pid = getpid();
  set(0);
  on_signal(SIGSEGV, escape, SA_ONSTACK);
  on_signal(SIGUSR1, never, 0);
  if (sigsetjmp(back, 1) == 0) {
    __asm__ volatile("mov $4096, %%rsp; mov $62, %%eax; syscall"
                     :
                     : "D"(pid), "S"((long)SIGUSR1)
                     : "rax", "rcx", "r11");
    CHECK(0);
  }
  CHECK_EQ(calls, 1);
  CHECK_EQ(fault_code, SI_KERNEL);
  unset();
}
static void return_from_no_frame(void) {
  set(0);
  on_signal(SIGSEGV, escape, SA_ONSTACK);
  if (sigsetjmp(back, 1) == 0) {
    __asm__ volatile("mov $4096, %%rsp; mov $15, %%eax; syscall" : : : "rax", "rcx", "r11");
    CHECK(0);
  }
  CHECK_EQ(calls, 1);
  CHECK_EQ(fault_code, SI_KERNEL);
  unset();
}

int main(void) {
  stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stack != MAP_FAILED);
  RUN(none_at_first);
  RUN(handler_runs_there);
  RUN(handler_without_onstack_does_not);
  RUN(onstack_without_a_stack);
  RUN(nested_handlers_share_it);
  RUN(no_change_while_in_use);
  RUN(too_small);
  RUN(small_but_disabled);
  RUN(least_size_is_told);
  RUN(unknown_flags);
  RUN(onstack_as_a_flag);
  RUN(bad_addresses);
  RUN(old_and_new_in_one_call);
  RUN(autodisarm_disarms);
  RUN(autodisarm_arms_again);
  RUN(autodisarm_can_be_set_inside);
  RUN(autodisarm_and_longjmp);
  RUN(disable_with_autodisarm);
  RUN(overflow_of_the_stack);
  RUN(frame_that_cannot_be_written);
  RUN(return_from_no_frame);
  return 0;
}
