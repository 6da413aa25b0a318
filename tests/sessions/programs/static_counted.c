// Does the work that its argument names between two functions, whose addresses it says: "begin ADDRESS",
// "end ADDRESS". The work is the same however the program is run, but for where instructions may fault.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static volatile long sink;

__attribute__((noinline)) void begin(void) { __asm__ volatile(""); }
__attribute__((noinline)) void end(void) { __asm__ volatile(""); }

static void loops(void) {
  for (int i = 0; i < 200; ++i)
    for (int k = i; k > 0; k -= 3) sink += (k & 1) != 0 ? i : i % 7 == 0 ? k : 1;
  long left = 100, sum = 0;
  __asm__ volatile(
      "1: inc %1\n jrcxz 2f\n loop 1b\n2: add $8, %1\n"
      "mov $10, %%ecx\n3: cmp $5, %%ecx\n loopne 3b\n"
      "xor %%ecx, %%ecx\n jrcxz 4f\n inc %1\n4:\n"
      : "+c"(left), "+r"(sum)::"cc");
  sink += sum;
  __asm__ volatile(".rept 500\n nop\n .endr\n");  // longer than a block
}

__attribute__((noinline)) static long fibonacci(long n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__attribute__((noinline)) static long choose(long which) {
  switch (which) {
    case 0:
      return 5;
    case 1:
      return sink;
    case 2:
      return which * 7;
    case 3:
      return fibonacci(3);
    case 4:
      return 11;
    case 5:
      return -sink;
    default:
      return 0;
  }
}

static void calls(void) {
  long (*volatile table[2])(long) = {fibonacci, choose};
  sink += fibonacci(12);
  for (long i = 0; i < 60; ++i) sink += choose(i % 8) + table[i & 1](i % 6);
}

static void strings(void) {
  static char from[3000], to[3000];
  for (unsigned long bytes = 0; bytes < sizeof from; bytes += 100) {
    char *source = from, *target = to;
    unsigned long count = bytes;
    __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count)::"memory");
    count = bytes;
    target = to;
    __asm__ volatile("repne scasb" : "+D"(target), "+c"(count) : "a"(1) : "cc", "memory");
    count = bytes / 8;
    target = to;
    __asm__ volatile("rep stosq" : "+D"(target), "+c"(count) : "a"(0L) : "memory");
    count = bytes % 300;
    target = to;
    __asm__ volatile("test %1, %1\n jz 1f\n nop\n rep stosb\n1:"
                     : "+D"(target), "+c"(count)
                     : "a"(0L)
                     : "cc", "memory");
    source = from;
    __asm__ volatile("lodsb" : "+S"(source)::"rax", "memory");
  }
}

static void system_calls(void) {
  for (int i = 0; i < 30; ++i) {
    sink += syscall(SYS_getppid) != 0;
    sink += syscall(SYS_close, -1);
    unsigned a = 0, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  }
}

static void on_signal(int number) { sink += number; }

static void on_fault(int number, siginfo_t* info, void* context) {
  (void)info;
  sink += number;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 3;  // both instructions below have as many bytes
}

static void signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  action = (struct sigaction){.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGFPE, &action, NULL);
  sigaction(SIGILL, &action, NULL);
  for (int i = 0; i < 10; ++i) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGUSR1);
    __asm__ volatile("inc %%eax\n mov (%0), %%rcx\n inc %%edx\n dec %%edx" ::"S"(8L)
                     : "rax", "rcx", "rdx", "cc");
    __asm__ volatile("xor %%edx, %%edx\n inc %%eax\n div %0\n nop\n" ::"S"(0L) : "rax", "rdx", "cc");
    __asm__ volatile("nop\n nop\n ud2\n nop\n nop\n");
    // An indirect call to no address faults at the call; one that cannot be fetched behind it.
    __asm__ volatile("movabs $0x8000000000000000, %%rax\n xor %%ecx, %%ecx\n call *%%rax\n nop\n inc %%ecx" ::
                         : "rax", "rcx", "cc", "memory");
  }
}

/// Stores into the page that the storing code lies in, until that is no longer watched.
static void patches(void) {
  static const unsigned char kCode[] = {0xff, 0x05, 0xfa, 0x0f,
                                        0,    0,    0x90, 0xc3};  // inc [rip+0xffa]; nop; ret
  unsigned char* code =
      mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  __builtin_memcpy(code + 64, kCode, sizeof kCode);
  code[66] = 0x3a, code[67] = 0;  // into the code's own page
  for (int i = 0; i < 100; ++i) {
    ((void (*)(void))(code + 64))();
    code[512 + i] = 1;
  }
}

/// First touches of a stack that has to grow.
__attribute__((noinline)) static long grows(long depth) {
  volatile char page[4096];
  page[depth & 4095] = 1;
  return depth == 0 ? page[0] : grows(depth - 1) + page[depth & 4095];
}

static void stack(void) { sink += grows(100); }

int main(int count, char** words) {
  static const struct {
    const char* name;
    void (*work)(void);
  } kWorks[] = {
      {"loops", loops},     {"calls", calls},     {"strings", strings}, {"system_calls", system_calls},
      {"signals", signals}, {"patches", patches}, {"stack", stack}};
  printf("begin %p\nend %p\n", (void*)begin, (void*)end);
  fflush(stdout);
  for (unsigned i = 0; i < sizeof kWorks / sizeof kWorks[0]; ++i) {
    if (count < 2 || strcmp(words[1], kWorks[i].name) != 0) continue;
    begin();
    kWorks[i].work();
    end();
    return 0;
  }
  return 1;
}
