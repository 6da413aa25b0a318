// Synchronous faults: signal, si_code, si_addr, trapno, error code and rip, for each kind; escape by
// siglongjmp, by an edited rip, and by mending the cause.
#include <setjmp.h>

#include "check.h"

static sigjmp_buf back;
static volatile int last_signal, last_code;
static void* volatile last_address;
static volatile long last_trap, last_error, last_rip, last_cr2;

static void note(int number, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  last_signal = number;
  last_code = info->si_code;
  last_address = info->si_addr;
  last_trap = uc->uc_mcontext.gregs[REG_TRAPNO];
  last_error = uc->uc_mcontext.gregs[REG_ERR];
  last_rip = uc->uc_mcontext.gregs[REG_RIP];
  last_cr2 = uc->uc_mcontext.gregs[REG_CR2];
}

static void escape(int number, siginfo_t* info, void* context) {
  note(number, info, context);
  siglongjmp(back, 1);
}

static void skip_three(int number, siginfo_t* info, void* context) {
  note(number, info, context);
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 3;
}

static char* page;
static void mend(int number, siginfo_t* info, void* context) {
  note(number, info, context);
  CHECK_EQ(mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
}

#define FAULTS(statement)                   \
  do {                                      \
    last_signal = 0;                        \
    if (sigsetjmp(back, 1) == 0) statement; \
    CHECK(last_signal != 0);                \
  } while (0)

static volatile int zero;

static void faults_have_codes(void) {
  const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  for (unsigned i = 0; i < sizeof faults / sizeof *faults; ++i) on_signal(faults[i], escape, 0);

  FAULTS(*(volatile char*)16 = 1);
  CHECK_EQ(last_signal, SIGSEGV);
  CHECK_EQ(last_code, SEGV_MAPERR);
  CHECK_EQ(last_address, 16);
  CHECK_EQ(last_cr2, 16);
  CHECK_EQ(last_trap, 14);
  CHECK_EQ(last_error, 6);
  FAULTS(zero = *(volatile char*)24);
  CHECK_EQ(last_error, 4);
  CHECK_EQ(last_address, 24);

  page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  zero = page[5];  // present, so that the error code says "protection"
  FAULTS(page[5] = 1);
  CHECK_EQ(last_code, SEGV_ACCERR);
  CHECK_EQ(last_address, page + 5);
  CHECK_EQ(last_error, 7);

  FAULTS(((void (*)(void))page)());
  CHECK_EQ(last_signal, SIGSEGV);
  CHECK_EQ(last_code, SEGV_ACCERR);
  CHECK_EQ(last_address, page);
  CHECK_EQ(last_rip, page);
  FAULTS(((void (*)(void))(uintptr_t)32)());
  CHECK_EQ(last_code, SEGV_MAPERR);
  CHECK_EQ(last_rip, 32);

  FAULTS(*(volatile char*)0x8000000000000000 = 1);  // not canonical: #GP
  CHECK_EQ(last_signal, SIGSEGV);
  CHECK_EQ(last_code, SI_KERNEL);
  CHECK_EQ(last_address, 0);
  CHECK_EQ(last_trap, 13);

  FAULTS(__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; idivl %0" : : "m"(zero) : "eax", "edx"));
  zero = 0;
  FAULTS(__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; idivl %0" : : "m"(zero) : "eax", "edx"));
  CHECK_EQ(last_signal, SIGFPE);
  CHECK_EQ(last_code, FPE_INTDIV);
  CHECK_EQ(last_trap, 0);
  CHECK_EQ(last_address, last_rip);

  FAULTS(__asm__ volatile("ud2"));
  CHECK_EQ(last_signal, SIGILL);
  CHECK_EQ(last_code, ILL_ILLOPN);
  CHECK_EQ(last_address, last_rip);
  CHECK_EQ(last_trap, 6);

  FAULTS(__asm__ volatile("int3"));
  CHECK_EQ(last_signal, SIGTRAP);
  CHECK_EQ(last_code, SI_KERNEL);
  CHECK_EQ(last_trap, 3);

  FAULTS(__asm__ volatile("hlt"));
  CHECK_EQ(last_signal, SIGSEGV);
  CHECK_EQ(last_code, SI_KERNEL);
  CHECK_EQ(last_trap, 13);

  FILE* file = tmpfile();
  CHECK(file != NULL);
  CHECK_EQ(ftruncate(fileno(file), 4096), 0);
  char* map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fileno(file), 0);
  FAULTS(zero = map[4096]);
  CHECK_EQ(last_signal, SIGBUS);
  CHECK_EQ(last_code, BUS_ADRERR);
  CHECK_EQ(last_address, map + 4096);
  zero = 0;

  on_signal(SIGSEGV, skip_three, 0);
  long kept = 77;
  __asm__ volatile("xor %%eax, %%eax; movq (%%rax), %%rax" : : : "rax");  // 3 bytes: 48 8b 00
  CHECK_EQ(last_signal, SIGSEGV);
  CHECK_EQ(kept, 77);

  on_signal(SIGSEGV, mend, 0);
  page[100] = 42;
  CHECK_EQ(page[100], 42);
  CHECK_EQ(last_address, page + 100);
}

int main(void) {
  RUN(faults_have_codes);
  return 0;
}
