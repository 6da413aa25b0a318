// cpu: x86-64-v2 x86-64-v3 x86-64-v4
// What a processor of a named profile has and has not: an instruction runs exactly if cpuid offers it, and
// cpuid offers exactly the level (ORRERY_RECORD_CPU names it; natively and without it only "offered, so it
// runs" is checked, since a processor may have more than a hypervisor shows).
#include <cpuid.h>
#include <setjmp.h>

#include "check.h"

enum level { V1, V2, V3, V4, NEVER };

static sigjmp_buf back;
static volatile int stopped_by;

static void stopped(int number) {
  stopped_by = number;
  siglongjmp(back, 1);
}

#define RUNS(name, text)                                                                         \
  static void name(void) {                                                                       \
    static char memory[4096] __attribute__((aligned(64)));                                       \
    __asm__ volatile(".intel_syntax noprefix\n" text "\n.att_syntax prefix" ::"D"(memory)        \
                     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "xmm0", "xmm1", "memory", "cc"); \
  }

enum { ECX1, EBX7, ECX7, EDX7, EAX71, EAXD1, ECX81, EDX81 };

// name, level, cpuid word, bit, code
#define ROWS(X)                                                               \
  X(sse3, V2, ECX1, 0, "addsubps xmm0, xmm1")                                 \
  X(ssse3, V2, ECX1, 9, "pshufb xmm0, xmm1")                                  \
  X(sse4_1, V2, ECX1, 19, "pmulld xmm0, xmm1")                                \
  X(sse4_2, V2, ECX1, 20, "crc32 eax, cl")                                    \
  X(cmpxchg16b, V2, ECX1, 13, "xor eax, eax; xor edx, edx; cmpxchg16b [rdi]") \
  X(popcnt, V2, ECX1, 23, "popcnt eax, ecx")                                  \
  X(lahf, V2, ECX81, 0, "lahf")                                               \
  X(movbe, V3, ECX1, 22, "movbe eax, [rdi]")                                  \
  X(avx, V3, ECX1, 28, "vaddps ymm0, ymm0, ymm1")                             \
  X(avx2, V3, EBX7, 5, "vpaddd ymm0, ymm0, ymm1")                             \
  X(fma, V3, ECX1, 12, "vfmadd213ps xmm0, xmm0, xmm1")                        \
  X(f16c, V3, ECX1, 29, "vcvtph2ps xmm0, xmm1")                               \
  X(bmi1, V3, EBX7, 3, "andn eax, ecx, edx")                                  \
  X(bmi2, V3, EBX7, 8, "pext eax, ecx, edx")                                  \
  X(lzcnt, V3, ECX81, 5, "lzcnt eax, ecx")                                    \
  X(xsave, V3, ECX1, 27, "xor ecx, ecx; xgetbv")                              \
  X(avx512f, V4, EBX7, 16, "vpaddd zmm0, zmm0, zmm1")                         \
  X(avx512f_high, V4, EBX7, 16, "vpaddd zmm17, zmm18, zmm19")                 \
  X(avx512bw, V4, EBX7, 30, "vpaddb zmm0, zmm0, zmm1")                        \
  X(avx512dq, V4, EBX7, 17, "vpmullq zmm0, zmm0, zmm1")                       \
  X(avx512cd, V4, EBX7, 28, "vpconflictd zmm0, zmm1")                         \
  X(avx512vl, V4, EBX7, 31, "vpternlogd xmm0, xmm1, xmm1, 1")                 \
  X(mask_registers, V4, EBX7, 16, "kmovw k1, eax; kmovw eax, k1")             \
  X(aes, NEVER, ECX1, 25, "aesenc xmm0, xmm1")                                \
  X(pclmul, NEVER, ECX1, 1, "pclmulqdq xmm0, xmm1, 0")                        \
  X(sha, NEVER, EBX7, 29, "sha1nexte xmm0, xmm1")                             \
  X(rdrand, NEVER, ECX1, 30, "rdrand eax")                                    \
  X(rdseed, NEVER, EBX7, 18, "rdseed eax")                                    \
  X(adx, NEVER, EBX7, 19, "adcx eax, ecx")                                    \
  X(fsgsbase, NEVER, EBX7, 0, "rdfsbase rax")                                 \
  X(gfni, NEVER, ECX7, 8, "gf2p8mulb xmm0, xmm1")                             \
  X(rdpid, NEVER, ECX7, 22, "rdpid rax")                                      \
  X(rdtscp, NEVER, EDX81, 27, "rdtscp")                                       \
  X(clflushopt, NEVER, EBX7, 23, "clflushopt [rdi]")                          \
  X(clwb, NEVER, EBX7, 24, "clwb [rdi]")                                      \
  X(movdiri, NEVER, ECX7, 27, "movdiri [rdi], eax")                           \
  X(serialize, NEVER, EDX7, 14, "serialize")                                  \
  X(avx_vnni, NEVER, EAX71, 4, ".byte 0xc4, 0xe2, 0x71, 0x50, 0xc1")          \
  X(avx512_vbmi, NEVER, ECX7, 1, "vpermb zmm0, zmm0, zmm1")                   \
  X(avx512_vnni, NEVER, ECX7, 11, "vpdpbusd zmm0, zmm0, zmm1")                \
  X(avx512_fp16, NEVER, EDX7, 23, ".byte 0x62, 0xf5, 0x7c, 0x48, 0x58, 0xc1") \
  X(xsaveopt, NEVER, EAXD1, 0, "xor eax, eax; xor edx, edx; xsaveopt [rdi]")  \
  X(xsavec, NEVER, EAXD1, 1, "xor eax, eax; xor edx, edx; xsavec [rdi]")      \
  X(protection_keys, NEVER, ECX7, 4, "xor ecx, ecx; rdpkru")                  \
  X(transactions, NEVER, EBX7, 11, "xbegin 1f; xend; 1: nop")                 \
  X(waiting, NEVER, ECX7, 5, "umonitor rdi")                                  \
  X(tiles, NEVER, EDX7, 24, "tilerelease")                                    \
  X(user_interrupts, NEVER, EDX7, 5, "testui")

#define DEFINE(name, level, word, bit, text) RUNS(do_##name, text)
ROWS(DEFINE)

static uint32_t words[8];

static void ask(void) {
  uint32_t a, b, c, d;
  __cpuid(1, a, b, c, d);
  words[ECX1] = c;
  __cpuid_count(7, 0, a, b, c, d);
  words[EBX7] = b, words[ECX7] = c, words[EDX7] = d;
  __cpuid_count(7, 1, a, b, c, d);
  words[EAX71] = a;
  __cpuid_count(0xd, 1, a, b, c, d);
  words[EAXD1] = a;
  __cpuid(0x80000001, a, b, c, d);
  words[ECX81] = c, words[EDX81] = d;
}

/// The level of the machine this runs on; V1 where it is none of ours.
static enum level machine_level(void) {
  const char* name = getenv("ORRERY_RECORD_CPU");
  const int aes_shown = (words[ECX1] >> 25) & 1;
  if (name == NULL || aes_shown) return V1;
  if (strcmp(name, "x86-64-v2") == 0) return V2;
  if (strcmp(name, "x86-64-v3") == 0) return V3;
  return strcmp(name, "x86-64-v4") == 0 ? V4 : V1;
}

static void try(const char* name, enum level needed, int word, int bit, void (*run)(void)) {
  begin_case(name);
  const int offered = (words[word] >> bit) & 1;
  const enum level level = machine_level();
  if (level != V1) CHECK_EQ(offered, needed <= level);
  // Some need a permission besides: tiles and user interrupts by arch_prctl, transactions may be switched
  // off.
  if (offered && (needed != NEVER || word != EDX7)) {
    run();
    return;
  }
  if (level == V1) return;
  stopped_by = 0;
  if (sigsetjmp(back, 1) == 0) run();
  // lzcnt is bsr with a prefix to processors that do not have it.
  CHECK_EQ(stopped_by, strcmp(name, "lzcnt") == 0 ? 0 : SIGILL);
}

#define TRY(name, level, word, bit, text) try(#name, level, word, bit, do_##name);

// --- results that a level fixes ---

/// rcpps and rsqrtps: the exact value rounded to 12 bits.
static void approximations(void) {
  static const float operands[4] __attribute__((aligned(16))) = {3.0f, 0.7f, 1e20f, 49.0f};
  uint32_t reciprocal[4], root[4], scalar[4];
  __asm__ volatile(
      "rcpps (%3), %%xmm0; movups %%xmm0, %0; movaps (%3), %%xmm1; rsqrtps %%xmm1, %%xmm0; movups %%xmm0, %1;"
      "movaps (%3), %%xmm0; rcpss 4(%3), %%xmm0; movups %%xmm0, %2"
      : "=m"(reciprocal), "=m"(root), "=m"(scalar)
      : "r"(operands)
      : "xmm0", "xmm1");
  for (int i = 0; i < 4; ++i) {
    float value;
    memcpy(&value, &reciprocal[i], 4);
    CHECK(value * operands[i] - 1 < 0.000367f && 1 - value * operands[i] < 0.000367f);
  }
  CHECK_EQ(memcmp(&scalar[1], &operands[1], 12), 0);
  if (machine_level() == V1) return;
  CHECK_EQ(reciprocal[0], 0x3eaab000);
  CHECK_EQ(reciprocal[1], 0x3fb6e000);
  CHECK_EQ(reciprocal[3], 0x3ca73000);
  CHECK_EQ(root[0], 0x3f13d000);
  CHECK_EQ(root[3], 0x3e125000);
  CHECK_EQ(scalar[0], 0x3fb6e000);
}

static void approximations_fault(void) {
  if (machine_level() == V1) return;
  stopped_by = 0;
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("rcpps 4(%%rsp), %%xmm0" ::: "xmm0");
  CHECK_EQ(stopped_by, SIGSEGV);
  stopped_by = 0;
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("rsqrtss 0x1000, %%xmm0" ::: "xmm0");
  CHECK_EQ(stopped_by, SIGSEGV);
}

/// AVX forms clear what is above; the source may be 32 bytes and need not be aligned.
static void wide_approximations(void) {
  if (((words[ECX1] >> 28) & 1) == 0) return;
  static const float operands[9] __attribute__((aligned(32))) = {9, 1, 2, 4, 8, 16, 0.5f, 0.25f, 64};
  uint32_t wide[8], scalar[8];
  __asm__ volatile(
      "vrcpps 4(%2), %%ymm8; vmovups %%ymm8, %0; vmovups (%2), %%ymm9; vmovups (%2), %%ymm8;"
      "vrsqrtss 12(%2), %%xmm9, %%xmm8; vmovups %%ymm8, %1; vzeroall"
      : "=m"(wide), "=m"(scalar)
      : "r"(operands)
      : "memory");
  for (int i = 4; i < 8; ++i) CHECK_EQ(scalar[i], 0);
  for (int i = 1; i < 4; ++i) CHECK_EQ(memcmp(&scalar[i], &operands[i], 4), 0);
  if (machine_level() == V1) return;
  CHECK_EQ(scalar[0], 0x3f000000);
  for (int i = 0; i < 8; ++i) {
    float value;
    memcpy(&value, &wide[i], 4);
    CHECK(value * operands[i + 1] == 1.0f);
  }
}

/// The size of a signal frame's image follows from the level.
static volatile uint32_t image_bytes;
static void look(int number, siginfo_t* info, void* context) {
  const ucontext_t* uc = context;
  const uint32_t* software = (const uint32_t*)((const char*)uc->uc_mcontext.fpregs + 464);
  image_bytes = (uc->uc_flags & 1) != 0 && software[0] == 0x46505853 ? software[4] : 0;
}

static void frame_size(void) {
  on_signal(SIGUSR1, look, 0);
  raise(SIGUSR1);
  static const uint32_t wanted[] = {0, 0, 832, 2696};
  const enum level level = machine_level();
  if (level == V3) CHECK_EQ(image_bytes, wanted[2]);
  if (level == V2) CHECK_EQ(image_bytes, wanted[1]);
  if (level == V4) CHECK(image_bytes >= 2432);
}

int main(void) {
  ask();
  signal(SIGILL, stopped);
  signal(SIGSEGV, stopped);
  ROWS(TRY)
  RUN(approximations);
  RUN(approximations_fault);
  RUN(wide_approximations);
  RUN(frame_size);
  return 0;
}
