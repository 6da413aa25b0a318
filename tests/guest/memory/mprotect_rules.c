// mprotect: refusals, holes (what lies before one is changed), and that permissions are really applied.
#include <setjmp.h>

#include "check.h"

#define PAGE 4096UL

static sigjmp_buf back;
static volatile int code;
static void* volatile fault_address;

static void on_fault(int number, siginfo_t* info, void* context) {
  code = info->si_code;
  fault_address = info->si_addr;
  siglongjmp(back, number);
}

static int store_faults(volatile char* at) {
  int number = sigsetjmp(back, 1);
  if (number != 0) return number;
  *at = 1;
  return 0;
}
static int load_faults(volatile char* at) {
  int number = sigsetjmp(back, 1);
  if (number != 0) return number;
  (void)*at;
  return 0;
}
static int call_faults(void (*at)(void)) {
  int number = sigsetjmp(back, 1);
  if (number != 0) return number;
  at();
  return 0;
}

static void mprotect_rules(void) {
  on_signal(SIGSEGV, on_fault, 0);
  char* area = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  CHECK_ERRNO(mprotect(area + 1, PAGE, PROT_READ), EINVAL);
  CHECK_ERRNO(mprotect(area, PAGE, 0x40), EINVAL);
  CHECK_ERRNO(mprotect(area, PAGE, PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
  CHECK_ERRNO(mprotect(area, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
  CHECK_ERRNO(mprotect(area, ~0UL, PROT_READ), ENOMEM);
  CHECK_EQ(mprotect(area, 0, 0x40), 0);
  CHECK_EQ(mprotect((void*)(4 * PAGE), 0, PROT_READ), 0);
  CHECK_ERRNO(mprotect((void*)(4 * PAGE), PAGE, PROT_READ), ENOMEM);

  // A hole: the part before it is changed, the part behind it is not.
  CHECK_EQ(munmap(area + 2 * PAGE, PAGE), 0);
  CHECK_ERRNO(mprotect(area, 4 * PAGE, PROT_READ), ENOMEM);
  CHECK_EQ(store_faults(area), SIGSEGV);
  CHECK_EQ(code, SEGV_ACCERR);
  CHECK(fault_address == area);
  CHECK_EQ(store_faults(area + 3 * PAGE), 0);
  CHECK_EQ(store_faults(area + 2 * PAGE + 9), SIGSEGV);
  CHECK_EQ(code, SEGV_MAPERR);
  CHECK(fault_address == area + 2 * PAGE + 9);

  CHECK_EQ(load_faults(area), 0);
  CHECK_EQ(mprotect(area, PAGE, PROT_NONE), 0);
  CHECK_EQ(load_faults(area + 7), SIGSEGV);
  CHECK_EQ(code, SEGV_ACCERR);
  CHECK_EQ(mprotect(area, PAGE, PROT_WRITE), 0);
  CHECK_EQ(store_faults(area), 0);

  // Data is not code; execute-only pages run.
  area[3 * PAGE] = (char)0xc3;  // ret
  CHECK_EQ(call_faults((void (*)(void))(area + 3 * PAGE)), SIGSEGV);
  CHECK_EQ(code, SEGV_ACCERR);
  CHECK(fault_address == area + 3 * PAGE);
  CHECK_EQ(mprotect(area + 3 * PAGE, PAGE, PROT_READ | PROT_EXEC), 0);
  CHECK_EQ(call_faults((void (*)(void))(area + 3 * PAGE)), 0);
  CHECK_EQ(mprotect(area + 3 * PAGE, PAGE, PROT_EXEC), 0);
  CHECK_EQ(call_faults((void (*)(void))(area + 3 * PAGE)), 0);
  CHECK_EQ(mprotect(area + 3 * PAGE, PAGE, PROT_READ), 0);
  CHECK_EQ(call_faults((void (*)(void))(area + 3 * PAGE)), SIGSEGV);
  CHECK_EQ(code, SEGV_ACCERR);
  CHECK_EQ(munmap(area + 3 * PAGE, PAGE), 0);
  CHECK_EQ(call_faults((void (*)(void))(area + 3 * PAGE)), SIGSEGV);
  CHECK_EQ(code, SEGV_MAPERR);
}

int main(void) {
  RUN(mprotect_rules);
  return 0;
}
