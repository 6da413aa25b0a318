// sigaltstack: the handler's place, SS_ONSTACK, EPERM while on it, SS_AUTODISARM, stack overflow handled
// there.
#include <setjmp.h>

#include "check.h"

static char* stack;
static const size_t size = 65536;
static volatile int calls;
static sigjmp_buf back;

static int on_stack(const void* p) { return (const char*)p >= stack && (const char*)p < stack + size; }

static void check_place(int number, siginfo_t* info, void* context) {
  stack_t now;
  ucontext_t* uc = context;
  int here;
  ++calls;
  CHECK(on_stack(&here));
  CHECK(on_stack(info));
  CHECK_EQ(sigaltstack(NULL, &now), 0);
  CHECK_EQ(now.ss_flags, SS_ONSTACK);
  CHECK(now.ss_sp == stack);
  CHECK(uc->uc_stack.ss_sp == stack);
  CHECK_EQ(uc->uc_stack.ss_size, size);
  stack_t other = {.ss_sp = stack, .ss_size = size};
  CHECK_ERRNO(sigaltstack(&other, NULL), EPERM);
}

static void check_disarmed(int number, siginfo_t* info, void* context) {
  stack_t now;
  ucontext_t* uc = context;
  int here;
  ++calls;
  CHECK(on_stack(&here));
  CHECK_EQ(sigaltstack(NULL, &now), 0);
  CHECK_EQ(now.ss_flags, SS_DISABLE);
  CHECK_EQ((unsigned)uc->uc_stack.ss_flags, 1u << 31);
}

static void escape(int number, siginfo_t* info, void* context) {
  ++calls;
  siglongjmp(back, 1);
}

static volatile int sink;
static __attribute__((noinline)) int overflow(int depth) {
  volatile char room[4096];
  if (depth < 0) return 0;
  room[depth % 4096] = (char)depth;
  sink = overflow(depth + 1) + room[0];
  return sink;
}

static void altstack(void) {
  stack_t old;
  CHECK_EQ(sigaltstack(NULL, &old), 0);
  CHECK_EQ(old.ss_flags, SS_DISABLE);
  stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stack != MAP_FAILED);
  stack_t small = {.ss_sp = stack, .ss_size = 1024};
  CHECK_ERRNO(sigaltstack(&small, NULL), ENOMEM);
  stack_t odd = {.ss_sp = stack, .ss_size = size, .ss_flags = 16};
  CHECK_ERRNO(sigaltstack(&odd, NULL), EINVAL);
  stack_t mine = {.ss_sp = stack, .ss_size = size};
  CHECK_EQ(sigaltstack(&mine, NULL), 0);

  on_signal(SIGUSR1, check_place, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);

  on_signal(SIGSEGV, escape, SA_ONSTACK);
  for (int i = 0; i < 2; ++i)
    if (sigsetjmp(back, 1) == 0) overflow(0);
  CHECK_EQ(calls, 3);

  mine.ss_flags = (int)(1u << 31);
  CHECK_EQ(sigaltstack(&mine, NULL), 0);
  on_signal(SIGUSR1, check_disarmed, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(calls, 4);
  CHECK_EQ(sigaltstack(NULL, &old), 0);
  CHECK_EQ((unsigned)old.ss_flags, 1u << 31);
  CHECK(old.ss_sp == stack);
  stack_t off = {.ss_flags = SS_DISABLE};
  CHECK_EQ(sigaltstack(&off, NULL), 0);
}

int main(void) {
  RUN(altstack);
  return 0;
}
