// each signal: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 24 25 26 27 29 30 31 34 49 64
// A signal without a handler, sent to oneself, ends the process, with the signal as its status.
#include <sys/resource.h>

#include "check.h"

int main(void) {
  static const char* const names[] = {[1] = "HUP", "INT",  "QUIT",      "ILL",    "TRAP",        "ABRT",
                                      "BUS",       "FPE",  "KILL",      "USR1",   "SEGV",        "USR2",
                                      "PIPE",      "ALRM", "TERM",      "STKFLT", [24] = "XCPU", "XFSZ",
                                      "VTALRM",    "PROF", [29] = "IO", "PWR",    "SYS"};
  char name[64];
  if (SIGNAL < 32)
    snprintf(name, sizeof name, "SIG%s_ends_the_process", names[SIGNAL]);
  else
    snprintf(name, sizeof name, "real_time_signal_%d_ends_the_process", SIGNAL);
  begin_case(name);
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  sigset_t pending;
  change_mask(SIG_BLOCK, SIGNAL);
  kill(getpid(), SIGNAL);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK_EQ(sigismember(&pending, SIGNAL), 1);
  change_mask(SIG_UNBLOCK, SIGNAL);
  return 0;
}
