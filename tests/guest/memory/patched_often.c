// Code that is changed so often that it is not worth watching for changes: every change must still be seen at
// once, wherever it comes from, and what is no code any more must not run.
#include <setjmp.h>
#include <sys/time.h>

#include "check.h"

#define PAGE 4096UL
#define OFTEN 3000

typedef int (*function)(void);

static int call(const char* at) { return ((function)(uintptr_t)at)(); }

static char* map(int flags, int fd, int protection) {
  char* at = mmap(NULL, 2 * PAGE, protection, flags, fd, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static char* map_code(void) {
  return map(MAP_PRIVATE | MAP_ANONYMOUS, -1, PROT_READ | PROT_WRITE | PROT_EXEC);
}

/// mov eax, number; ret
static void emit(char* at, int number) {
  at[0] = (char)0xb8;
  memcpy(at + 1, &number, 4);
  at[5] = (char)0xc3;
}

/// Changes the code so often that it is taken for code that always changes.
static void heat(char* code) {
  for (int i = 0; i < OFTEN; ++i) {
    emit(code, i);
    CHECK_EQ(call(code), i);
  }
}

static void immediate_operand(void) {
  char* code = map_code();
  heat(code);
  for (int i = 0; i < OFTEN; ++i) {
    code[1 + i % 4] ^= (char)(i | 1);
    int wanted;
    memcpy(&wanted, code + 1, 4);
    CHECK_EQ(call(code), wanted);
    CHECK_EQ(call(code), wanted);
  }
}

static void two_versions_in_turn(void) {
  char* code = map_code();
  for (int i = 0; i < OFTEN; ++i) {
    emit(code, i & 1 ? 77 : 99);
    CHECK_EQ(call(code), i & 1 ? 77 : 99);
  }
}

static void across_pages(void) {
  char* code = map_code();
  heat(code);
  for (int i = 0; i < OFTEN; ++i) {
    emit(code + PAGE - 3, i);
    CHECK_EQ(call(code + PAGE - 3), i);
  }
  // Only the bytes on the second page change.
  for (int i = 0; i < OFTEN; ++i) {
    code[PAGE + 1] = (char)(i & 1);
    CHECK_EQ(call(code + PAGE - 3), ((OFTEN - 1) & 0xffffff) | ((i & 1) << 24));
  }
}

/// The instruction behind the store is what the store changes.
static void next_instruction(void) {
  char* code = map_code();
  heat(code);
  // mov byte [rip + 1], dil; mov eax, 0; ret  -- the first byte of the immediate is the argument
  static const unsigned char kCode[] = {0x40, 0x88, 0x3d, 1, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xc3};
  memcpy(code + 64, kCode, sizeof kCode);
  for (int i = 0; i < OFTEN; ++i) CHECK_EQ(((int (*)(int))(uintptr_t)(code + 64))(i & 127), i & 127);
}

/// rep stosb writes over what stands behind it.
static void string_store_ahead(void) {
  char* code = map_code();
  heat(code);
  // mov eax, esi; rep stosb; mov eax, 0x01010101; ret
  static const unsigned char kCode[] = {0x89, 0xf0, 0xf3, 0xaa, 0xb8, 1, 1, 1, 1, 0xc3};
  memcpy(code + 64, kCode, sizeof kCode);
  for (int i = 0; i < OFTEN; ++i) {
    int result;
    char* to = code + 64 + 5;
    long count = 4;
    __asm__ volatile("call *%[at]"
                     : "=a"(result), "+D"(to), "+c"(count)
                     : [at] "r"(code + 64), "S"((long)(i & 127))
                     : "memory", "cc");
    CHECK_EQ(result, (i & 127) * 0x01010101);
  }
}

/// A push writes the next instruction: the stack lies in the code.
static void push_ahead(void) {
  char* code = map_code();
  heat(code);
  // xchg rsp, rdi; push rsi; (8 bytes that the push writes); xchg rsp, rdi; ret
  static const unsigned char kCode[] = {0x48, 0x87, 0xfc, 0x56, 0x90, 0x90, 0x90, 0x90,
                                        0x90, 0x90, 0x90, 0x90, 0x48, 0x87, 0xfc, 0xc3};
  memcpy(code + 128, kCode, sizeof kCode);
  for (int i = 0; i < OFTEN; ++i) {
    // mov eax, i; nop; nop; nop
    const unsigned long pushed = 0x90909000000000b8UL | (unsigned long)i << 8;
    int result;
    char* to = code + 128 + 12;
    __asm__ volatile("call *%[at]"
                     : "=a"(result), "+D"(to)
                     : [at] "r"(code + 128), "S"(pushed)
                     : "memory", "cc");
    CHECK_EQ(result, i);
  }
}

static void data_beside_code(void) {
  char* code = map_code();
  emit(code, 5);
  // mov rax, [rip + counter]; inc; store back: a loop of ten
  static const unsigned char kCode[] = {0xb9, 10, 0, 0,    0,    0xff, 0x05, 0xf5,
                                        0x01, 0,  0, 0xff, 0xc9, 0x75, 0xf6, 0xc3};
  memcpy(code + 512, kCode, sizeof kCode);
  int* counter = (int*)(void*)(code + 512 + 11 + 0x1f5);
  for (int i = 0; i < OFTEN; ++i) {
    CHECK_EQ(*counter, i * 10);
    call(code + 512);
    CHECK_EQ(call(code), 5);
  }
}

static void two_views(void) {
  int fd = memfd_create("code", 0);
  CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
  char* writable = map(MAP_SHARED, fd, PROT_READ | PROT_WRITE);
  char* code = map(MAP_SHARED, fd, PROT_READ | PROT_EXEC);
  for (int i = 0; i < OFTEN; ++i) {
    emit(writable, i);
    CHECK_EQ(call(code), i);
  }
  for (int i = 0; i < 200; ++i) {
    char bytes[6];
    emit(bytes, -i);
    CHECK_EQ(pwrite(fd, bytes, 6, 0), 6);
    CHECK_EQ(call(code), -i);
  }
}

static void protection_flips(void) {
  char* code = map_code();
  char* other = code + 256;
  emit(other, 4711);
  for (int i = 0; i < OFTEN; ++i) {
    CHECK_EQ(mprotect(code, PAGE, PROT_READ | PROT_WRITE), 0);
    emit(code, i);
    CHECK_EQ(mprotect(code, PAGE, PROT_READ | PROT_EXEC), 0);
    CHECK_EQ(call(code), i);
    CHECK_EQ(call(other), 4711);
  }
}

static sigjmp_buf after_fault;
static siginfo_t last_fault;
static void on_fault(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  last_fault = *info;
  siglongjmp(after_fault, 1);
}

static void expect_fault(char* at, int code) {
  on_signal(SIGSEGV, on_fault, 0);
  on_signal(SIGBUS, on_fault, 0);
  if (sigsetjmp(after_fault, 1) == 0) {
    call(at);
    CHECK(!"the code ran");
  }
  CHECK_EQ(last_fault.si_addr, at);
  CHECK_EQ(last_fault.si_code, code);
}

static void no_longer_executable(void) {
  char* code = map_code();
  heat(code);
  CHECK_EQ(mprotect(code, PAGE, PROT_READ | PROT_WRITE), 0);
  expect_fault(code, SEGV_ACCERR);
  CHECK_EQ(mprotect(code, PAGE, PROT_READ | PROT_EXEC), 0);
  CHECK_EQ(call(code), OFTEN - 1);
  CHECK_EQ(mprotect(code, PAGE, PROT_NONE), 0);
  expect_fault(code, SEGV_ACCERR);
}

static void no_longer_mapped(void) {
  char* code = map_code();
  heat(code);
  CHECK_EQ(munmap(code, 2 * PAGE), 0);
  expect_fault(code, SEGV_MAPERR);
}

static void moved_away(void) {
  char* code = map_code();
  heat(code);
  char* place = map_code();
  CHECK(mremap(code, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
  expect_fault(code, SEGV_MAPERR);
  CHECK_EQ(call(place), OFTEN - 1);
  heat(place);
}

static void file_truncated(void) {
  int fd = memfd_create("code", 0);
  CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
  char* code = map(MAP_SHARED, fd, PROT_READ | PROT_WRITE | PROT_EXEC);
  heat(code + PAGE);
  CHECK_EQ(ftruncate(fd, PAGE), 0);
  expect_fault(code + PAGE, BUS_ADRERR);
}

static void discarded(void) {
  char* code = map_code();
  for (int i = 0; i < 100; ++i) {
    heat(code);
    CHECK_EQ(madvise(code, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(code[0], 0);
    emit(code, i);
    CHECK_EQ(call(code), i);
    if (i == 3) break;
  }
}

/// The function returns into a page that was changed while it ran.
static void changed_below_the_caller(void) {
  char* code = map_code();
  heat(code);
  // sub rsp, 8; call rdi; mov eax, 0; add rsp, 8; ret
  static const unsigned char kCode[] = {0x48, 0x83, 0xec, 8,    0xff, 0xd7, 0xb8, 0,
                                        0,    0,    0,    0x48, 0x83, 0xc4, 8,    0xc3};
  memcpy(code + 1024, kCode, sizeof kCode);
  static char* patched;
  patched = code + 1024 + 7;
  for (int i = 0; i < OFTEN; ++i) {
    static int number;
    number = i;
    int result;
    // The callee stores the number into its caller's next instruction.
    __asm__ volatile(
        "lea 1f(%%rip), %%rdi\n call *%[at]\n jmp 2f\n"
        "1: mov %[number], %%ecx\n mov %[patched], %%rdx\n mov %%ecx, (%%rdx)\n ret\n"
        "2:"
        : "=a"(result)
        : [at] "r"(code + 1024), [number] "m"(number), [patched] "m"(patched)
        : "rdi", "rcx", "rdx", "memory", "cc");
    CHECK_EQ(result, i);
  }
}

static volatile int alarms;
static void on_alarm(int number, siginfo_t* info, void* context) {
  (void)number, (void)info, (void)context;
  ++alarms;
}

static void under_a_timer(void) {
  char* code = map_code();
  on_signal(SIGALRM, on_alarm, SA_RESTART);
  struct itimerval every = {{0, 500}, {0, 500}};
  CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
  for (int i = 0; alarms < 50; ++i) {
    emit(code, i);
    CHECK_EQ(call(code), i);
  }
  struct itimerval never = {{0, 0}, {0, 0}};
  CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
}

int main(void) {
  RUN(immediate_operand);
  RUN(two_versions_in_turn);
  RUN(across_pages);
  RUN(next_instruction);
  RUN(string_store_ahead);
  RUN(push_ahead);
  RUN(data_beside_code);
  RUN(two_views);
  RUN(protection_flips);
  RUN(no_longer_executable);
  RUN(no_longer_mapped);
  RUN(moved_away);
  RUN(file_truncated);
  RUN(discarded);
  RUN(changed_below_the_caller);
  RUN(under_a_timer);
  return 0;
}
