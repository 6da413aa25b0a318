// Calls that wait, interrupted by an interval timer. Each call is two cases: with a handler that was
// installed without SA_RESTART, where it gives EINTR, and with SA_RESTART, where it either goes on until the
// handler has made ready what it waits for, or gives EINTR all the same (signal(7), "Interruption of system
// calls and library functions by signal handlers").
#pragma once

#include <sys/time.h>

#include "check.h"

struct waiting_call {
  const char* name;
  void (*prepare)(void);
  long (*call)(void);     ///< what it gives: >= 0, or -errno
  void (*release)(void);  ///< makes ready what the call waits for; null: SA_RESTART makes no difference
  long result;            ///< of the call that was started again
};

static volatile sig_atomic_t interruptions;
static void (*volatile release_now)(void);

static void on_interruption(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  void (*release)(void) = release_now;
  release_now = NULL;
  ++interruptions;
  if (release != NULL) release();
  errno = saved;
}

static void set_interval(long microseconds) {
  const struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/// For `call` of the rows: what a system call gives.
static inline long outcome(long result) { return result == -1 ? -errno : result; }

static void run_once(const struct waiting_call* row, int flags, const char* how, long wanted) {
  char name[128];
  snprintf(name, sizeof name, "%s %s", row->name, how);
  begin_case(name);
  if (row->prepare != NULL) row->prepare();
  interruptions = 0;
  release_now = (flags & SA_RESTART) != 0 ? row->release : NULL;
  on_signal(SIGALRM, on_interruption, flags);
  set_interval(4000);
  const long got = row->call();
  set_interval(0);
  CHECK(interruptions > 0);
  CHECK_EQ(got, wanted);
}

static void run_rows(const struct waiting_call* rows, size_t count) {
  for (const struct waiting_call* row = rows; row != rows + count; ++row) {
    run_once(row, 0, "is interrupted", -EINTR);
    if (row->release != NULL)
      run_once(row, SA_RESTART, "is started again", row->result);
    else
      run_once(row, SA_RESTART, "is not started again", -EINTR);
  }
}
