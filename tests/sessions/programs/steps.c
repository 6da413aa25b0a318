// A function called with the trap flag set and with alignment checks on: "work ADDRESS", then the arguments.
#include <signal.h>
#include <stdio.h>

__attribute__((noinline)) void work(long argument) { __asm__ volatile("" ::"r"(argument)); }

static void handler(int number) { (void)number; }

static void set_flags(unsigned long flags) {
  __asm__ volatile("pushf\n xor %0, (%%rsp)\n popf" ::"r"(flags) : "cc", "memory");
}

int main(void) {
  printf("work %p\n", (void*)work);
  signal(SIGTRAP, handler);
  work(1);
  set_flags(0x100);
  work(2);
  work(3);
  set_flags(0x100);
  set_flags(0x40000);
  work(4);
  set_flags(0x40000);
  work(5);
  printf("1\n2\n3\n4\n5\n");
  return 0;
}
