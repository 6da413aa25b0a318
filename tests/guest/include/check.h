// What every guest test uses: CHECK with the line and the values, and a few calls libc hides.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static inline void check_failed(const char* file, int line, const char* what, long got, long wanted) {
  char text[512];
  int n = snprintf(text, sizeof text, "%s:%d: %s: got %ld (0x%lx), wanted %ld (0x%lx)\n", file, line, what,
                   got, got, wanted, wanted);
  (void)!write(2, text, (size_t)n);
  _exit(1);
}

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) check_failed(__FILE__, __LINE__, #condition, 0, 1); \
  } while (0)

#define CHECK_EQ(got, wanted)                                                   \
  do {                                                                          \
    long got_ = (long)(got), wanted_ = (long)(wanted);                          \
    if (got_ != wanted_) check_failed(__FILE__, __LINE__, #got, got_, wanted_); \
  } while (0)

/// The call fails with this errno.
#define CHECK_ERRNO(call, wanted)                                                             \
  do {                                                                                        \
    errno = 0;                                                                                \
    long result_ = (long)(call);                                                              \
    if (result_ != -1) check_failed(__FILE__, __LINE__, #call " result", result_, -1);        \
    if (errno != (wanted)) check_failed(__FILE__, __LINE__, #call " errno", errno, (wanted)); \
  } while (0)

static inline void on_signal(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  CHECK_EQ(sigaction(number, &action, NULL), 0);
}

static inline void change_mask(int how, int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  CHECK_EQ(sigprocmask(how, &set, NULL), 0);
}
