// A process stops its whole group, itself among it, as `kill(0, SIGSTOP)` and a shell's `suspend` do; the
// parent sees each one stop and go on.
#include <sched.h>
#include <sys/wait.h>

#include "check.h"

enum { kOthers = 3 };

static pid_t children[kOthers + 1];

static void wait_for_all(int options, int wanted) {
  for (int i = 0; i <= kOthers; ++i) {
    int status = -1;
    CHECK_EQ(waitpid(children[i], &status, options), children[i]);
    CHECK_EQ(status, wanted);
  }
}

/// Child 0 makes the group and stops it; the others do `others_do` meanwhile, for ever.
static void stop_a_group(int signal, void (*others_do)(void)) {
  int go[2];
  CHECK_EQ(pipe(go), 0);
  for (int i = 0; i <= kOthers; ++i) {
    children[i] = fork();
    if (children[i] == 0) {
      char byte;
      CHECK_EQ(read(go[0], &byte, 1), 1);  // not before all are in the group
      if (i == 0) CHECK_EQ(kill(0, signal), 0);
      for (;;) others_do();
    }
    CHECK_EQ(setpgid(children[i], children[0]), 0);
  }
  CHECK_EQ(write(go[1], "1234", kOthers + 1), kOthers + 1);
  wait_for_all(WUNTRACED, signal << 8 | 0x7f);
  CHECK_EQ(kill(-children[0], SIGCONT), 0);
  wait_for_all(WCONTINUED, 0xffff);
  CHECK_EQ(kill(-children[0], SIGKILL), 0);
  wait_for_all(0, SIGKILL);
  close(go[0]), close(go[1]);
}

static void yields(void) { sched_yield(); }
static void sleeps(void) { pause(); }

static void while_all_run(void) { stop_a_group(SIGSTOP, yields); }
static void while_all_sleep(void) { stop_a_group(SIGSTOP, sleeps); }
static void by_the_terminals_signal(void) { stop_a_group(SIGTSTP, yields); }

int main(void) {
  RUN(while_all_run);
  RUN(while_all_sleep);
  RUN(by_the_terminals_signal);
  return 0;
}
