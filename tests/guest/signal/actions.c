// sigaction: its flags, the mask during a handler, what it remembers, what it refuses.
#include "check.h"

#ifndef SA_UNSUPPORTED
#define SA_UNSUPPORTED 0x400
#endif
#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x800
#endif

struct kernel_action {
  void* handler;
  unsigned long flags;
  void* restorer;
  unsigned long mask;
};
static long raw_sigaction(int number, const struct kernel_action* now, struct kernel_action* old) {
  return syscall(SYS_rt_sigaction, number, now, old, 8);
}

static volatile int calls, depth, deepest;
static sigset_t during;
static void look(int number, siginfo_t* info, void* context) {
  ++calls;
  sigprocmask(SIG_BLOCK, NULL, &during);
}
static void nest(int number, siginfo_t* info, void* context) {
  ++depth;
  if (depth > deepest) deepest = depth;
  if (depth < 4) raise(number);
  --depth;
}
static void simple(int number) { ++calls; }

static void own_signal_is_blocked(void) {
  calls = 0;
  on_signal(SIGUSR1, look, 0);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
  CHECK_EQ(sigismember(&during, SIGUSR1), 1);
  CHECK_EQ(sigismember(&during, SIGUSR2), 0);
}
static void nodefer_leaves_it_open(void) {
  calls = 0;
  on_signal(SIGUSR1, look, SA_NODEFER);
  raise(SIGUSR1);
  CHECK_EQ(sigismember(&during, SIGUSR1), 0);
}
static void nodefer_nests(void) {
  deepest = 0;
  on_signal(SIGUSR1, nest, SA_NODEFER);
  raise(SIGUSR1);
  CHECK_EQ(deepest, 4);
}
static void raise_once(int number, siginfo_t* info, void* context) {
  ++depth;
  if (++calls == 1) raise(number);
  if (depth > deepest) deepest = depth;
  --depth;
}
static void without_nodefer_the_next_waits(void) {
  deepest = calls = 0;
  on_signal(SIGUSR1, raise_once, 0);
  raise(SIGUSR1);
  CHECK_EQ(calls, 2);
  CHECK_EQ(deepest, 1);  // the second comes when the first has returned
}
static void mask_of_the_action(void) {
  struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO};
  sigaddset(&action.sa_mask, SIGUSR2);
  sigaddset(&action.sa_mask, SIGKILL);
  CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
  raise(SIGUSR1);
  CHECK_EQ(sigismember(&during, SIGUSR2), 1);
  CHECK_EQ(sigismember(&during, SIGKILL), 0);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK_EQ(sigismember(&now, SIGUSR2), 0);
}
static void resethand(void) {
  struct sigaction old;
  calls = 0;
  on_signal(SIGUSR1, look, SA_RESETHAND);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
  CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK(old.sa_handler == SIG_DFL);
  CHECK((old.sa_flags & SA_RESETHAND) != 0);
  CHECK_EQ(sigismember(&during, SIGUSR1), 1);
}
static void handler_without_siginfo(void) {
  struct sigaction action = {.sa_handler = simple};
  calls = 0;
  CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
}
static void action_is_remembered(void) {
  struct kernel_action set = {(void*)simple, SA_RESTART | SA_ONSTACK | SA_NOCLDSTOP | 0x04000000,
                              (void*)0x1234, 0x5a5a},
                       got = {0};
  CHECK_EQ(raw_sigaction(SIGUSR2, &set, NULL), 0);
  CHECK_EQ(raw_sigaction(SIGUSR2, NULL, &got), 0);
  CHECK(got.handler == set.handler);
  CHECK_EQ(got.flags, set.flags);
  CHECK(got.restorer == set.restorer);
  CHECK_EQ(got.mask, 0x5a5a & ~(1ul << (SIGKILL - 1)));
}
static void unknown_flags_are_cleared(void) {
  struct kernel_action set = {SIG_DFL, 0xffffffff, NULL, 0}, got = {0};
  CHECK_EQ(raw_sigaction(SIGUSR2, &set, NULL), 0);
  CHECK_EQ(raw_sigaction(SIGUSR2, NULL, &got), 0);
  CHECK_EQ(got.flags & SA_UNSUPPORTED, 0);
  CHECK_EQ(got.flags & SA_EXPOSE_TAGBITS, SA_EXPOSE_TAGBITS);
  CHECK_EQ(got.flags, 0xdc000807);
}
static void old_and_new_in_one_call(void) {
  struct kernel_action both = {SIG_IGN, 0, NULL, 0};
  CHECK_EQ(raw_sigaction(SIGUSR2, &both, &both), 0);
  CHECK(both.handler == SIG_DFL);
  CHECK_EQ(raw_sigaction(SIGUSR2, NULL, &both), 0);
  CHECK(both.handler == SIG_IGN);
}
static void ignoring_discards_pending(void) {
  sigset_t pending;
  change_mask(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  kill(getpid(), SIGUSR1);
  signal(SIGUSR1, SIG_IGN);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
  change_mask(SIG_UNBLOCK, SIGUSR1);
}
static void default_discards_what_it_ignores(void) {
  sigset_t pending;
  change_mask(SIG_BLOCK, SIGCHLD);
  on_signal(SIGCHLD, look, 0);
  raise(SIGCHLD);
  signal(SIGCHLD, SIG_DFL);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGCHLD), 0);
  change_mask(SIG_UNBLOCK, SIGCHLD);
}
static void blocked_and_ignored_is_kept(void) {
  sigset_t pending;
  calls = 0;
  signal(SIGUSR1, SIG_IGN);
  change_mask(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
  on_signal(SIGUSR1, look, 0);
  change_mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQ(calls, 1);
}
static void ignored_by_default(void) {
  static const int numbers[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
  for (int i = 0; i < 4; i++) {
    signal(numbers[i], SIG_DFL);
    CHECK_EQ(raise(numbers[i]), 0);
    CHECK_EQ(kill(getpid(), numbers[i]), 0);
  }
}
static void every_other_can_be_ignored(void) {
  for (int number = 1; number <= 64; number++) {
    struct kernel_action ignore = {SIG_IGN, 0, NULL, 0}, back = {SIG_DFL, 0, NULL, 0};
    if (number == SIGKILL || number == SIGSTOP) continue;
    CHECK_EQ(raw_sigaction(number, &ignore, NULL), 0);
    CHECK_EQ(kill(getpid(), number), 0);
    CHECK_EQ(raw_sigaction(number, &back, NULL), 0);
  }
}
static void every_other_can_be_caught(void) {
  for (int number = 1; number <= 64; number++) {
    if (number == SIGKILL || number == SIGSTOP || number == 32 || number == 33) continue;
    calls = 0;
    on_signal(number, look, 0);
    CHECK_EQ(raise(number), 0);
    CHECK_EQ(calls, 1);
    signal(number, SIG_DFL);
  }
}
static void refusals(void) {
  struct kernel_action action = {SIG_DFL, 0, NULL, 0};
  CHECK_ERRNO(raw_sigaction(SIGKILL, &action, NULL), EINVAL);
  CHECK_ERRNO(raw_sigaction(SIGSTOP, &action, NULL), EINVAL);
  CHECK_EQ(raw_sigaction(SIGKILL, NULL, &action), 0);
  CHECK_ERRNO(raw_sigaction(0, &action, NULL), EINVAL);
  CHECK_ERRNO(raw_sigaction(65, NULL, &action), EINVAL);
  CHECK_ERRNO(raw_sigaction(-1, NULL, &action), EINVAL);
  CHECK_ERRNO(raw_sigaction(SIGUSR1, (void*)8, NULL), EFAULT);
  CHECK_ERRNO(raw_sigaction(SIGUSR1, NULL, (void*)8), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
}
static void set_though_old_cannot_be_told(void) {
  struct kernel_action ignore = {SIG_IGN, 0, NULL, 0}, got;
  signal(SIGUSR1, SIG_DFL);
  CHECK_ERRNO(raw_sigaction(SIGUSR1, &ignore, (void*)8), EFAULT);
  CHECK_EQ(raw_sigaction(SIGUSR1, NULL, &got), 0);
  CHECK(got.handler == SIG_IGN);
}

// --- masks ---

static void kill_and_stop_stay_open(void) {
  unsigned long all = ~0ul, now = 0;
  CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), 0);
  CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, 8), 0);
  CHECK_EQ(now, ~(1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1)));
  all = 0;
  CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), 0);
}
static void mask_refusals(void) {
  unsigned long set = 0;
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 7, &set, NULL, 8), EINVAL);
  CHECK_EQ(syscall(SYS_rt_sigprocmask, 7, NULL, &set, 8), 0);  // how is not looked at
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void*)8, NULL, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, (void*)8, 8), EFAULT);
}
static void mask_is_set_though_old_cannot_be_told(void) {
  unsigned long set = 1ul << (SIGUSR1 - 1), now = 0;
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, (void*)8, 8), EFAULT);
  CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, 8), 0);
  CHECK_EQ(now, set);
  change_mask(SIG_UNBLOCK, SIGUSR1);
}
static void pending_of_other_sizes(void) {
  unsigned long set = ~0ul;
  CHECK_EQ(syscall(SYS_rt_sigpending, &set, 4), 0);
  CHECK_EQ(set, 0xffffffff00000000);
  CHECK_EQ(syscall(SYS_rt_sigpending, &set, 0), 0);
  CHECK_ERRNO(syscall(SYS_rt_sigpending, &set, 9), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigpending, (void*)8, 8), EFAULT);
}

int main(void) {
  RUN(own_signal_is_blocked);
  RUN(nodefer_leaves_it_open);
  RUN(nodefer_nests);
  RUN(without_nodefer_the_next_waits);
  RUN(mask_of_the_action);
  RUN(resethand);
  RUN(handler_without_siginfo);
  RUN(action_is_remembered);
  RUN(unknown_flags_are_cleared);
  RUN(old_and_new_in_one_call);
  RUN(ignoring_discards_pending);
  RUN(default_discards_what_it_ignores);
  RUN(blocked_and_ignored_is_kept);
  RUN(ignored_by_default);
  RUN(every_other_can_be_ignored);
  RUN(every_other_can_be_caught);
  RUN(refusals);
  RUN(set_though_old_cannot_be_told);
  RUN(kill_and_stop_stay_open);
  RUN(mask_refusals);
  RUN(mask_is_set_though_old_cannot_be_told);
  RUN(pending_of_other_sizes);
  return 0;
}
