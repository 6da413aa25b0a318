// A program built for a processor with AVX-512 does not ask cpuid. It must find zmm29 to zmm31, where the
// engine keeps its counter as long as nobody else wants them, as its own: its values stay through loops,
// calls and system calls.
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

static __attribute__((noinline)) long add_up(long n) { return n == 0 ? 0 : n + add_up(n - 1); }

static void wide_vectors(void) {
  if (!has_avx512f()) SKIP("no AVX-512");
  uint64_t values[3][8], after[3][8];
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 8; k++) values[i][k] = 0x0101010101010101u * (unsigned)(8 * i + k + 1);
  __asm__ volatile("vmovdqu64 %0, %%zmm29\n vmovdqu64 %1, %%zmm30\n vmovdqu64 %2, %%zmm31"
                   :
                   : "m"(values[0]), "m"(values[1]), "m"(values[2]));
  CHECK_EQ(add_up(1000), 500500);
  CHECK_EQ(syscall(SYS_getppid), getppid());
  __asm__ volatile("vmovdqu64 %%zmm29, %0\n vmovdqu64 %%zmm30, %1\n vmovdqu64 %%zmm31, %2"
                   : "=m"(after[0]), "=m"(after[1]), "=m"(after[2]));
  CHECK_EQ(memcmp(after, values, sizeof values), 0);
}

int main(void) {
  RUN(wide_vectors);
  return 0;
}
