// A thread that waits in a call while the first one goes on: what the cases of thread/ share.
#pragma once

#include <pthread.h>

#include "check.h"

static pthread_t waiting_thread;
static volatile int wait_began;
static volatile int wait_thread_id;

/// Runs `body`, which says WAIT_BEGINS() before its call, until it is likely to be in that call.
static inline void start_waiting(void* (*body)(void*)) {
  wait_began = 0;
  CHECK_EQ(pthread_create(&waiting_thread, NULL, body, NULL), 0);
  while (!wait_began) sched_yield();
  usleep(5000);
}
#define WAIT_BEGINS() (wait_thread_id = (int)syscall(SYS_gettid), wait_began = 1)

static inline long waited(void) {
  void* result;
  CHECK_EQ(pthread_join(waiting_thread, &result), 0);
  return (long)result;
}
/// What a thread's body returns for a call: its result, or -errno.
static inline void* outcome(long result) { return (void*)(result < 0 ? -(long)errno : result); }

static volatile int interrupted_thread;
static void note_interruption(int number, siginfo_t* info, void* context) {
  (void)number, (void)info, (void)context;
  interrupted_thread = (int)syscall(SYS_gettid);
}
/// Sends SIGUSR1 to the waiting thread and returns when its handler has run.
static inline void interrupt_waiting(int flags) {
  on_signal(SIGUSR1, note_interruption, flags);
  interrupted_thread = 0;
  CHECK_EQ(pthread_kill(waiting_thread, SIGUSR1), 0);
  while (interrupted_thread == 0) usleep(1000);
  CHECK_EQ(interrupted_thread, wait_thread_id);
}

static inline long milliseconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
