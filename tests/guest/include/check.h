// What every guest test uses: named cases, CHECK with the line and the values, and a few calls libc hides.
//
// A case is one behaviour. Its name is printed before it runs, straight to the descriptor, so that it is seen
// of a program that dies as well; run.sh compares what the program prints natively with what it prints on the
// machine, and count.py counts the cases.
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

/// From here on the program shows the case of this name. For what cannot be a function: a step after exec, a
/// row of a table.
static inline void begin_case(const char* name) {
  char text[256];
  const int length = snprintf(text, sizeof text, "case %s\n", name);
  (void)!write(STDOUT_FILENO, text, (size_t)length);
}

/// Runs `static void function(void)` as a case.
#define RUN(function) (begin_case(#function), (function)())

/// Leaves a case that this host has nothing for; it is not counted. The same on the machine as natively.
#define SKIP(why)                                                                \
  do {                                                                           \
    (void)!write(STDOUT_FILENO, "skip " why "\n", sizeof("skip " why "\n") - 1); \
    return;                                                                      \
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
