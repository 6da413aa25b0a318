// A program that uses AVX-512 without asking cpuid keeps all of it across a signal, whatever the handler
// does.
#include <setjmp.h>

#include "check.h"

static sigjmp_buf no_avx512f;
static void on_undefined(int number, siginfo_t* info, void* context) { siglongjmp(no_avx512f, 1); }

/// Found out by trying: what cpuid and /proc/cpuinfo say is the profile's.
static int has_avx512f(void) {
  on_signal(SIGILL, on_undefined, 0);
  if (sigsetjmp(no_avx512f, 1) != 0) return 0;
  __asm__ volatile("vpxorq %%zmm20, %%zmm20, %%zmm20" ::: "memory");
  return 1;
}

static volatile int calls;

static void smash(int number, siginfo_t* info, void* context) {
  ++calls;
  __asm__ volatile(
      "vpxorq %%zmm0, %%zmm0, %%zmm0\n vpxorq %%zmm9, %%zmm9, %%zmm9\n vpxorq %%zmm20, %%zmm20, %%zmm20\n"
      "vpxorq %%zmm31, %%zmm31, %%zmm31\n kxorw %%k3, %%k3, %%k3\n vzeroall"
      :
      :
      : "memory");
}

static void wide_vectors_in_signals(void) {
  if (!has_avx512f()) SKIP("no AVX-512");
  on_signal(SIGUSR1, smash, 0);
  uint64_t values[4][8], after[4][8];
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < 8; k++) values[i][k] = 0x0101010101010101u * (unsigned)(8 * i + k + 1);
  long mask = 0, result;
  const long pid = getpid();
  __asm__ volatile(
      "vmovdqu64 (%2), %%zmm0\n vmovdqu64 64(%2), %%zmm9\n vmovdqu64 128(%2), %%zmm20\n"
      "vmovdqu64 192(%2), %%zmm31\n mov $0x5a5a, %%ecx\n kmovw %%ecx, %%k3\n"
      "syscall\n"
      "kmovw %%k3, %%ecx\n mov %%rcx, %1\n vmovdqu64 %%zmm0, (%3)\n vmovdqu64 %%zmm9, 64(%3)\n"
      "vmovdqu64 %%zmm20, 128(%3)\n vmovdqu64 %%zmm31, 192(%3)\n vzeroupper"
      : "=a"(result), "=&r"(mask)
      : "r"(values), "r"(after), "a"(SYS_kill), "D"(pid), "S"((long)SIGUSR1)
      : "rcx", "r11", "memory", "xmm0", "xmm9");
  CHECK_EQ(calls, 1);
  CHECK_EQ(mask, 0x5a5a);
  CHECK_EQ(memcmp(after, values, sizeof values), 0);
}

int main(void) {
  RUN(wide_vectors_in_signals);
  return 0;
}
