// cpu: x86-64-v2
// lzcnt and tzcnt, which a processor without them takes for bsr and bsf: programs find out by trying, as the
// compiler of regular expressions in libpcre2 does. cpuid says what to expect.
#include <cpuid.h>

#include "check.h"

#define ZERO_FLAG 0x40UL
#define CARRY_FLAG 1UL

static int has_lzcnt(void) {
  unsigned a, b, c = 0, d;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1 << 5;
}

static int has_tzcnt(void) {
  unsigned a, b = 0, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1 << 3;
}

/// Runs a bit scan of `operand`: its result, or 77 where it leaves the register alone, and the flags.
#define SCAN(name, bytes)                                                                                \
  static uint64_t name(uint64_t operand, uint64_t* flags) {                                              \
    uint64_t result = 77;                                                                                \
    __asm__ volatile(bytes "\n\tpushfq\n\tpopq %1" : "+a"(result), "=&r"(*flags) : "c"(operand) : "cc"); \
    return result;                                                                                       \
  }
SCAN(lzcnt, ".byte 0xf3, 0x48, 0x0f, 0xbd, 0xc1")
SCAN(tzcnt, ".byte 0xf3, 0x48, 0x0f, 0xbc, 0xc1")
SCAN(bsr, ".byte 0xf2, 0x48, 0x0f, 0xbd, 0xc1")
SCAN(bsf, ".byte 0xf2, 0x48, 0x0f, 0xbc, 0xc1")

static void leading(void) {
  uint64_t flags;
  CHECK_EQ(lzcnt(0x1000, &flags), has_lzcnt() ? 51 : 12);
  CHECK_EQ(flags & ZERO_FLAG, 0);
  CHECK_EQ(lzcnt(0, &flags), has_lzcnt() ? 64 : 77);
  CHECK_EQ(flags & ZERO_FLAG, has_lzcnt() ? 0 : ZERO_FLAG);
  if (has_lzcnt()) CHECK_EQ(flags & CARRY_FLAG, CARRY_FLAG);
}

static void trailing(void) {
  uint64_t flags;
  CHECK_EQ(tzcnt(0x1000, &flags), 12);
  CHECK_EQ(tzcnt(1, &flags), 0);
  CHECK_EQ(flags & ZERO_FLAG, has_tzcnt() ? ZERO_FLAG : 0);
  CHECK_EQ(tzcnt(0, &flags), has_tzcnt() ? 64 : 77);
  CHECK_EQ(flags & ZERO_FLAG, has_tzcnt() ? 0 : ZERO_FLAG);
}

static void the_other_prefix_means_nothing(void) {
  uint64_t flags;
  CHECK_EQ(bsr(0x1000, &flags), 12);
  CHECK_EQ(bsr(0, &flags), 77);
  CHECK_EQ(flags & ZERO_FLAG, ZERO_FLAG);
  CHECK_EQ(bsf(0x1000, &flags), 12);
  CHECK_EQ(bsf(0, &flags), 77);
}

static void in_memory_of_the_program(void) {
  static uint64_t operand = 0x1000;
  uint64_t result = 0;
  __asm__ volatile(".byte 0xf3\n\tbsrq %1, %0" : "=r"(result) : "m"(operand) : "cc");
  CHECK_EQ(result, has_lzcnt() ? 51 : 12);
}

int main(void) {
  RUN(leading);
  RUN(trailing);
  RUN(the_other_prefix_means_nothing);
  RUN(in_memory_of_the_program);
}
