// rt_sigreturn believes an edited context: rip, general registers, flags, vector registers, the mask.
#include <immintrin.h>

#include "check.h"

static volatile int calls;

static void edit(int number, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  greg_t* regs = uc->uc_mcontext.gregs;
  ++calls;
  regs[REG_RAX] = 0x1122334455667788;
  regs[REG_R12] = 12;
  regs[REG_EFL] |= 1;  // carry
  uc->uc_mcontext.fpregs->_xmm[3].element[0] = 0xabcd;
  sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void smash(int number, siginfo_t* info, void* context) {
  ++calls;
  __asm__ volatile(
      "pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm3, %%xmm3; pcmpeqd %%xmm7, %%xmm7; pcmpeqd %%xmm15, %%xmm15"
      :
      :
      : "xmm0", "xmm3", "xmm7", "xmm15");
  __asm__ volatile("fldz; fldz; fldpi");
}

static void check_fresh(int number, siginfo_t* info, void* context) {
  unsigned mxcsr;
  unsigned short control;
  ++calls;
  __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
  CHECK_EQ(mxcsr, 0x1f80);
  CHECK_EQ(control, 0x37f);
  unsigned long flags;
  __asm__ volatile("pushfq; pop %0" : "=r"(flags));
  CHECK_EQ(flags & 0x400, 0);  // the direction flag is clear
}

static void jump(int number, siginfo_t* info, void* context) {
  extern char landing[];
  ++calls;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] = (greg_t)landing;
}

static long send_self(int number) {
  long result;
  const long pid = getpid();
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_kill), "D"(pid), "S"((long)number)
                   : "rcx", "r11", "memory");
  return result;
}

static void test_registers(void) {
  on_signal(SIGUSR1, edit, 0);
  long rax, carry;
  register long r12 __asm__("r12") = 5;
  int xmm3 = 0;
  const long pid = getpid();
  __asm__ volatile("pxor %%xmm3, %%xmm3; clc; syscall; setc %%cl; movzbl %%cl, %%ecx; movd %%xmm3, %2"
                   : "=a"(rax), "=c"(carry), "=r"(xmm3), "+r"(r12)
                   : "a"(SYS_kill), "D"(pid), "S"((long)SIGUSR1)
                   : "r11", "xmm3", "memory");
  CHECK_EQ(rax, 0x1122334455667788);
  CHECK_EQ(carry, 1);
  CHECK_EQ(r12, 12);
  CHECK_EQ(xmm3, 0xabcd);
  sigset_t now;
  sigprocmask(SIG_SETMASK, NULL, &now);
  CHECK_EQ(sigismember(&now, SIGUSR2), 1);
}

static void test_vectors_survive(void) {
  on_signal(SIGUSR1, smash, 0);
  double before[2] = {1.25, -3.5}, after[2];
  const long pid = getpid();
  long result;
  __asm__ volatile(
      "movupd %3, %%xmm0; movapd %%xmm0, %%xmm3; movapd %%xmm0, %%xmm15; syscall; "
      "addpd %%xmm3, %%xmm0; addpd %%xmm15, %%xmm0; movupd %%xmm0, %1"
      : "=a"(result), "=m"(after)
      : "a"(SYS_kill), "m"(before), "D"(pid), "S"((long)SIGUSR1)
      : "rcx", "r11", "xmm0", "xmm3", "xmm15", "memory");
  CHECK(after[0] == 3.75 && after[1] == -10.5);
  // Eight x87 values still fit: the handler's pushes are gone.
  double total = 0;
  __asm__ volatile(
      "fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; faddp; faddp; faddp; faddp; faddp; faddp; faddp; "
      "fstpl %0"
      : "=m"(total));
  CHECK(total == 8);
}

__attribute__((target("avx"))) static void test_upper_halves(void) {
  if (!__builtin_cpu_supports("avx")) SKIP("no AVX");
  on_signal(SIGUSR1, smash, 0);
  long long before[4] = {1, 2, 3, 4}, after[4];
  const long pid = getpid();
  long result;
  __asm__ volatile("vmovdqu %3, %%ymm7; syscall; vmovdqu %%ymm7, %1; vzeroupper"
                   : "=a"(result), "=m"(after)
                   : "a"(SYS_kill), "m"(before), "D"(pid), "S"((long)SIGUSR1)
                   : "rcx", "r11", "xmm7", "memory");
  for (int i = 0; i < 4; ++i) CHECK_EQ(after[i], before[i]);
}

static void handler_starts_fresh(void) {
  calls = 0;
  on_signal(SIGUSR1, check_fresh, 0);
  _mm_setcsr(0x9f80);
  __asm__ volatile("std");
  send_self(SIGUSR1);
  unsigned long flags;
  __asm__ volatile("pushfq; pop %0; cld" : "=r"(flags));
  CHECK_EQ(flags & 0x400, 0x400);
  CHECK_EQ(_mm_getcsr(), 0x9f80);
  CHECK_EQ(calls, 1);
}

static void test_jump(void) {
  calls = 0;
  on_signal(SIGUSR1, jump, 0);
  volatile int skipped = 1;
  __asm__ volatile goto(
      "mov $39, %%eax; syscall; mov %%eax, %%edi; mov %0, %%esi; mov $62, %%eax; syscall; jmp %l1; "
      ".globl landing; landing:"
      :
      : "i"(SIGUSR1)
      : "rax", "rdi", "rsi", "rcx", "r11", "memory"
      : missed);
  skipped = 0;
missed:
  CHECK_EQ(skipped, 0);
  CHECK_EQ(calls, 1);
}

int main(void) {
  RUN(test_registers);
  RUN(test_vectors_survive);
  RUN(test_upper_halves);
  RUN(handler_starts_fresh);
  RUN(test_jump);
  return 0;
}
