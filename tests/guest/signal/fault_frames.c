// A fault at every instruction that touches memory. Each operand lies on a page of its own, closed at first;
// the handler prints what the frame says, opens the page and lets the instruction run again. The output must
// be the native one. The code and its pages are tried in place and at copies near and far.
#include "check.h"

#define PAGE 4096UL
#define PAGES 24UL

extern char blob_begin[], blob_code_end[], blob_end[];

// Data page k of the blob begins k pages behind it. All registers are set before the first fault.
__asm__(
    ".text\n.balign 4096\n.globl blob_begin, blob_code_end, blob_end\n.set P, blob_begin\n"
    "blob_begin:\n"
    " push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov $0x1111, %eax\n mov $0x2222, %ebx\n mov $0x3333, %ecx\n mov $0x4444, %edx\n"
    " mov $0x5555, %esi\n mov $0x6666, %edi\n mov $0x7777, %ebp\n"
    " mov $0x8888, %r8d\n mov $0x9999, %r9d\n mov $0xaaaa, %r10d\n mov $0xbbbb, %r11d\n"
    " mov $0xcccc, %r12d\n mov $0xdddd, %r13d\n mov $0xeeee, %r14d\n mov $0xffff, %r15d\n"
    " vzeroall\n fninit\n cmp %ebx, %eax\n"
    " mov P+0x1008(%rip), %rax\n mov %ecx, P+0x2010(%rip)\n"
    " addq $0x7fffffff, P+0x3018(%rip)\n stc\n adc %r9d, P+0x4020(%rip)\n"
    " lea P+0x5000(%rip), %rbx\n movzbl 3(%rbx), %ecx\n"
    " lea P+0x6000(%rip), %rsi\n mov $0x66, %edi\n mov (%rsi,%rdi), %rdx\n"
    " lock xadd %r10, P+0x7028(%rip)\n"
    " lea P+0x8000(%rip), %r11\n cmpxchg %r12, 8(%r11)\n"
    " movups P+0x9030(%rip), %xmm3\n pcmpeqd %xmm4, %xmm4\n paddd %xmm4, %xmm3\n"
    " lea P+0xa000(%rip), %r14\n movaps %xmm3, 64(%r14)\n"
    " vmovdqu P+0xb000(%rip), %ymm5\n vpcmpeqd %ymm6, %ymm6, %ymm6\n vpsubq P+0xc040(%rip), %ymm6, %ymm7\n"
    " fldl P+0xd000(%rip)\n fld1\n faddp\n fstpl P+0xe008(%rip)\n"
    " lea P+0xf000(%rip), %rsi\n lea P+0x10000(%rip), %rdi\n mov $40, %ecx\n rep movsb\n"
    " mov $8, %ecx\n lea P+0x11800(%rip), %rdi\n std\n rep stosq\n cld\n"
    " mov $3, %ecx\n lea P+0x12000(%rip), %rdi\n repne scasl\n"
    " mov $4, %ecx\n lea P+0x13000(%rip), %rbx\n1: add %rcx, %r15\n incl (%rbx,%rcx,8)\n loop 1b\n"
    " lea 2f(%rip), %rax\n call *%rax\n jmp 3f\n"
    "2: xchg %r8, P+0x14018(%rip)\n ret\n"
    "3: lea 4f(%rip), %rax\n mov P+0x15000(%rip), %rdx\n xor %edx, %edx\n push %rax\n ret\n ud2\n"
    "4: pushq P+0x16008(%rip)\n popq P+0x17010(%rip)\n"
    " vzeroupper\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
    "blob_code_end:\n"
    ".balign 4096\n.skip 4096 * 23\nblob_end:\n");

static char* blob;
static unsigned long long digest;
static unsigned faults;

static void mix(const void* data, unsigned long size) {
  const unsigned char* byte = data;
  for (unsigned long i = 0; i < size; ++i) digest = (digest ^ byte[i]) * 1099511628211ULL;
}

/// Addresses in the blob are what they are relative to it.
static unsigned long plain(unsigned long value) {
  const unsigned long offset = value - (unsigned long)blob;
  return offset < PAGES * PAGE ? offset : value;
}

/// Without what differs from run to run: x87's addresses, registers of components that are not in use.
static void mix_vectors(const unsigned char* image) {
  unsigned char legacy[416];
  memcpy(legacy, image, sizeof legacy);
  memset(legacy + 8, 0, 16);
  memset(legacy + 28, 0, 4);
  uint64_t components;
  memcpy(&components, image + 512, 8);
  if ((components & 2) == 0) memset(legacy + 160, 0, 256);
  mix(legacy, sizeof legacy);
  static const unsigned char kZeros[256];
  mix((components & 4) != 0 ? image + 576 : kZeros, 256);
}

static void on_fault(int number, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  const greg_t* regs = uc->uc_mcontext.gregs;
  const unsigned long at = plain((unsigned long)info->si_addr), pc = plain((unsigned long)regs[REG_RIP]);
  digest = 14695981039346656037ULL;
  for (int i = 0; i <= REG_CR2; ++i) {
    const unsigned long value = plain((unsigned long)regs[i]);
    if (i != REG_RSP) mix(&value, sizeof value);
  }
  mix_vectors((const unsigned char*)uc->uc_mcontext.fpregs);
  char text[160];
  const int length = snprintf(text, sizeof text,
                              "%u: signal %d code %d pc +%lx address +%lx error %llx flags %llx %016llx\n",
                              ++faults, number, info->si_code, pc, at, (unsigned long long)regs[REG_ERR],
                              (unsigned long long)regs[REG_EFL], digest);
  CHECK_EQ(write(1, text, (size_t)length), length);
  CHECK(pc < (unsigned long)(blob_code_end - blob_begin));
  CHECK(at >= PAGE && at < PAGES * PAGE);
  CHECK_EQ(mprotect(blob + (at & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE), 0);
}

static void run_at(char* place) {
  if (!__builtin_cpu_supports("avx2")) SKIP("no AVX2");
  CHECK_EQ(blob_end - blob_begin, (long)(PAGES * PAGE));
  blob = place;
  faults = 0;
  if (place != blob_begin) memcpy(place, blob_begin, (size_t)(blob_code_end - blob_begin));
  CHECK_EQ(mprotect(place, PAGE, PROT_READ | PROT_EXEC), 0);
  CHECK_EQ(mprotect(place + PAGE, (PAGES - 1) * PAGE, PROT_NONE), 0);
  on_signal(SIGSEGV, on_fault, 0);
  ((void (*)(void))(uintptr_t)place)();
  CHECK_EQ(faults, PAGES - 1);
}

static char* map_blob(void* hint, int flags) {
  char* at = mmap(hint, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static void in_the_program(void) { run_at(blob_begin); }
static void in_low_memory(void) { run_at(map_blob(NULL, MAP_32BIT)); }
static void in_anonymous_memory(void) { run_at(map_blob(NULL, 0)); }
static void far_away(void) { run_at(map_blob((void*)0x200000000000, 0)); }

/// The same where the code is patched so often that it checks itself.
static void in_patched_code(void) {
  char* place = map_blob(NULL, 0);
  CHECK_EQ(mprotect(place, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
  for (int i = 0; i < 3000; ++i) {
    place[0] = (char)0xb8;
    memcpy(place + 1, &i, 4);
    place[5] = (char)0xc3;
    CHECK_EQ(((int (*)(void))(uintptr_t)place)(), i);
  }
  run_at(place);
}

int main(void) {
  RUN(in_the_program);
  RUN(in_low_memory);
  RUN(in_anonymous_memory);
  RUN(far_away);
  RUN(in_patched_code);
  return 0;
}
