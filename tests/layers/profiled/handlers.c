// Signals that the program sends itself, and one at an instruction that faults.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

static volatile int handled;

static void on_signal(int number) { handled += number == SIGUSR1; }
static void on_fault(int number, siginfo_t* info, void* context) {
  (void)number, (void)info;
  ++handled;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigaction(SIGUSR1, &action, NULL);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, NULL);
  for (int i = 0; i < 50; ++i) raise(SIGUSR1);
  for (int i = 0; i < 20; ++i) __asm__ volatile("nop\n ud2\n nop");
  printf("%d\n", handled);
  return 0;
}
