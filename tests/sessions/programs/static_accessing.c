// Accesses memory in the ways that its argument names, between two functions whose addresses it says. Of the
// accesses whose places registers choose it says itself which they are, between two more: "want ADDRESS SIZE
// KIND", with 1 for a read, 2 for a write and 3 for both.
#define _GNU_SOURCE
#include <immintrin.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

static volatile long sink;
static _Alignas(64) char data[8192];
static _Thread_local volatile long local = 3;

__attribute__((noinline)) void begin(void) { __asm__ volatile(""); }
__attribute__((noinline)) void end(void) { __asm__ volatile(""); }

static void moves(void) {
  for (int i = 0; i < 50; ++i) {
    sink += local + data[i * 7];
    local = sink & 7;
    __asm__ volatile(
        "push %%rax\n pushq 8(%%rsp)\n popq 16(%%rdi)\n pop %%rax\n pushw (%%rdi)\n popw 2(%%rdi)\n"
        "pushf\n popf\n mov $5, %%eax\n xchg %%al, %%ah\n xlat\n movabs %%al, data\n"
        "mov $3, %%ecx\n movq $-2, 24(%%rdi,%%rcx,8)\n addl $1, -4(%%rdi,%%rcx,4)\n"
        "mov $-8, %%rcx\n mov (%%rdi,%%rcx), %%r8\n movzbl (%%rdi,%%rcx,2), %%r9d\n mov %%r9b, "
        "9(%%rbx,%%r9)\n"
        :
        : "D"(data + 64), "b"(data)
        : "rax", "rcx", "r8", "r9", "memory", "cc");
  }
}

static void locked(void) {
  for (long i = 0; i < 40; ++i) {
    long added = i;
    __asm__ volatile(
        "lock xadd %0, (%1)\n lock cmpxchg %0, 8(%1)\n lock cmpxchg16b 16(%1)\n btsq $3, 40(%1)\n"
        : "+r"(added)
        : "D"(data)
        : "rax", "rdx", "memory", "cc");
    __atomic_fetch_or((int*)(data + 128), 4, __ATOMIC_SEQ_CST);
  }
}

static void vectors(void) {
  for (int i = 0; i < 20; ++i)
    __asm__ volatile(
        "movups (%0), %%xmm0\n movaps %%xmm0, 64(%0)\n movsd 3(%0), %%xmm1\n movss %%xmm1, 5(%0)\n"
        "paddd 16(%0), %%xmm0\n cvtsi2sdl (%0), %%xmm2\n pinsrw $2, 7(%0), %%xmm0\n movhps %%xmm0, 9(%0)\n"
        "fldt (%0)\n fstpt 32(%0)\n fldl 8(%0)\n fstps 8(%0)\n fildll (%0)\n fistps (%0)\n"
        "fnstcw 100(%0)\n fldcw 100(%0)\n stmxcsr 104(%0)\n ldmxcsr 104(%0)\n movnti %%rax, 8(%0)\n"
        "prefetcht0 (%0)\n nopl (%0)\n lea 1(%0), %%rax\n clflush (%0)\n"
        :
        : "D"(data + 256)
        : "rax", "memory", "st", "st(1)", "xmm0", "xmm1", "xmm2");
}

static void strings(void) {
  for (unsigned long bytes = 0; bytes < 700; bytes += 33) {
    char *from = data, *to = data + 4096;
    unsigned long count = bytes;
    __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
    __asm__ volatile("movsl\n movsb\n stosw\n lodsb\n" : "+S"(from), "+D"(to)::"rax", "memory");
    count = bytes, from = data, to = data + 4096;
    __asm__ volatile("repe cmpsb" : "+S"(from), "+D"(to), "+c"(count)::"cc", "memory");
    count = bytes, to = data;
    __asm__ volatile("repne scasb" : "+D"(to), "+c"(count) : "a"(9) : "cc", "memory");
    count = bytes / 8, to = data + 8184;
    __asm__ volatile("std\n rep stosq\n cld\n" : "+D"(to), "+c"(count) : "a"(1L) : "memory", "cc");
  }
}

__attribute__((noinline)) static long fibonacci(long n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void calls(void) {
  long (*volatile table[2])(long) = {fibonacci, fibonacci};
  sink += fibonacci(12);
  for (long i = 0; i < 30; ++i) sink += table[i & 1](i % 6);
  __asm__ volatile("enter $32, $0\n mov %%rax, (%%rsp)\n leave\n" ::: "rax", "memory");
}

static void on_fault(int number, siginfo_t* info, void* context) {
  (void)info;
  sink += number;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 3;
}

/// Accesses that fault, alone and behind others, once half-way through a repeated one.
static void faults(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  char* edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(edge + 4096, 4096, PROT_NONE);
  for (int i = 0; i < 10; ++i) {
    __asm__ volatile("mov (%1), %%rcx\n incl 8(%1)\n mov (%0), %%rcx\n mov 16(%1), %%rcx\n" ::"S"(8L),
                     "D"(data)
                     : "rcx", "memory", "cc");
    char* to = edge + 4000;
    unsigned long count = 200;
    __asm__ volatile("mov (%2), %%rax\n rep stosb\n nop\n"
                     : "+D"(to), "+c"(count)
                     : "S"(data)
                     : "rax", "memory");
  }
}

static void want(const void* address, int size, int kind) { printf("want %p %d %d\n", address, size, kind); }

static void chosen_bits(void) {
  begin();
  long offset = -70;
  __asm__ volatile("btsq %1, (%0)\n btl %k2, (%0)\n" ::"D"(data + 1024), "r"(offset), "r"(1000)
                   : "memory", "cc");
  end();
  want(data + 1024 - 16, 8, 3);
  want(data + 1024 + 31 * 4, 4, 1);
}

static void chosen_bytes(void) {
  memset(data, 0, 32);
  data[3] = data[7] = -1;
  begin();
  __asm__ volatile("movdqu (%0), %%xmm0\n maskmovdqu %%xmm0, %%xmm0\n" ::"D"(data) : "xmm0", "memory");
  end();
  want(data, 16, 1);
  want(data + 3, 1, 2);
  want(data + 7, 1, 2);
}

static const int kIndices[8] = {5, -1, 7, 100, 3, 3, -20, 0}, kChosen[8] = {-1, 0, -1, -1, 0, 0, -1, 0};

static void chosen_elements(void) {
  begin();
  __asm__ volatile(
      "vmovdqu (%1), %%ymm1\n vmovdqu (%2), %%ymm2\n vpgatherdd %%ymm2, 4(%0,%%ymm1,8), %%ymm3\n"
      "vmovdqu (%2), %%ymm2\n vmaskmovps (%0), %%ymm2, %%ymm3\n vpmaskmovd %%ymm3, %%ymm2, 64(%0)\n "
      "vzeroupper\n"
      :
      : "D"(data + 4096), "S"(kIndices), "d"(kChosen)
      : "xmm1", "xmm2", "xmm3", "memory");
  end();
  want(kIndices, 32, 1);
  want(kChosen, 32, 1);
  for (int i = 0; i < 8; ++i)
    if (kChosen[i] < 0) want(data + 4096 + 4 + kIndices[i] * 8, 4, 1);
  want(kChosen, 32, 1);
  for (int i = 0; i < 8; ++i)
    if (kChosen[i] < 0) want(data + 4096 + i * 4, 4, 1);
  for (int i = 0; i < 8; ++i)
    if (kChosen[i] < 0) want(data + 4096 + 64 + i * 4, 4, 2);
}

__attribute__((target("avx512f,avx512bw,avx512vl"))) static void chosen_masks(void) {
  begin();
  __asm__ volatile(
      "vmovdqu32 (%1), %%ymm17\n mov $0x4d, %%eax\n kmovw %%eax, %%k1\n kmovw %%eax, %%k2\n"
      "vpgatherdd 4(%0,%%ymm17,8), %%ymm18%{%%k1%}\n vmovdqu32 %%ymm18, 64(%0)%{%%k2%}\n"
      "vpaddd (%0)%{1to8%}, %%ymm18, %%ymm18%{%%k2%}\n vpcompressd %%ymm18, 128(%0)%{%%k2%}\n"
      "vmovdqu8 32(%0), %%xmm19%{%%k2%}%{z%}\n vpaddd 32(%0), %%ymm18, %%ymm18\n"
      :
      : "D"(data + 4096), "S"(kIndices)
      : "rax", "xmm17", "xmm18", "xmm19", "k1", "k2", "memory");
  end();
  want(kIndices, 32, 1);
  for (int i = 0; i < 8; ++i)
    if (0x4d >> i & 1) want(data + 4096 + 4 + kIndices[i] * 8, 4, 1);
  for (int i = 0; i < 8; ++i)
    if (0x4d >> i & 1) want(data + 4096 + 64 + i * 4, 4, 2);
  want(data + 4096, 4, 1);
  want(data + 4096 + 128, 16, 2);
  for (int i = 0; i < 8; ++i)
    if (0x4d >> i & 1) want(data + 4096 + 32 + i, 1, 1);
  want(data + 4096 + 32, 32, 1);
}

/// A page of each kind: read, written, both; by the program and by the kernel; given back, moved.
static void pages(void) {
  char* map = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int ends[2];
  if (pipe(ends) != 0) _exit(1);
  sink += map[0];
  map[4096] = 1;
  map[2 * 4096 - 1] += 1;
  *(volatile long*)(map + 4 * 4096 - 4) = 1;  // two pages
  sink += write(ends[1], map + 5 * 4096, 10);
  sink += read(ends[0], map + 6 * 4096 + 100, 10);
  map[8 * 4096] = 1;
  madvise(map + 8 * 4096, 4096, MADV_DONTNEED);
  sink += map[8 * 4096];
  map[9 * 4096] = 1;
  char* moved = mremap(map + 9 * 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, map + 12 * 4096);
  sink += moved[1];
  printf("map %p\n", (void*)map);
}

int main(int count, char** words) {
  static const struct {
    const char* name;
    void (*work)(void);
    int speaks;  // it says itself where it begins and ends
  } kWorks[] = {{"moves", moves, 0},        {"locked", locked, 0},      {"vectors", vectors, 0},
                {"strings", strings, 0},    {"calls", calls, 0},        {"faults", faults, 0},
                {"bits", chosen_bits, 1},   {"bytes", chosen_bytes, 1}, {"elements", chosen_elements, 1},
                {"masks", chosen_masks, 1}, {"pages", pages, 0}};
  printf("begin %p\nend %p\n", (void*)begin, (void*)end);
  fflush(stdout);
  for (unsigned i = 0; i < sizeof kWorks / sizeof kWorks[0]; ++i) {
    if (count < 2 || strcmp(words[1], kWorks[i].name) != 0) continue;
    if (!kWorks[i].speaks) begin();
    kWorks[i].work();
    if (!kWorks[i].speaks) end();
    return 0;
  }
  return 1;
}
