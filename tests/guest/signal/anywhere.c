// Signals from outside, at any place of loops of all kinds. The handler changes every register it may; what
// the loop computes must be what it computes undisturbed, and the frame's pc must lie where it was.
#include <sys/time.h>

#include "check.h"

#define SIGNALS 60

static volatile unsigned signals;

static void on_alarm(int number, siginfo_t* info, void* context) {
  const ucontext_t* uc = context;
  CHECK_EQ(number, SIGALRM);
  CHECK_EQ(info->si_code, SI_KERNEL);
  CHECK_EQ(uc->uc_mcontext.gregs[REG_EFL] & 0x100, 0);
  ++signals;
  __asm__ volatile(
      "stc\n std\n cld\n fninit\n fldpi\n fld1\n pcmpeqd %%xmm0, %%xmm0\n movdqa %%xmm0, %%xmm1\n movdqa "
      "%%xmm0, %%xmm2\n"
      "movdqa %%xmm0, %%xmm3\n movdqa %%xmm0, %%xmm15\n mov $-1, %%eax\n mov %%eax, %%ecx\n mov %%eax, "
      "%%edx\n"
      "mov %%eax, %%esi\n mov %%eax, %%edi\n mov %%eax, %%r8d\n mov %%eax, %%r9d\n mov %%eax, %%r10d\n mov "
      "%%eax, %%r11d\n" ::
          : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
            "xmm15", "memory", "cc");
}

static void set_timer(int microseconds) {
  struct itimerval every = {{0, microseconds}, {0, microseconds}};
  CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
}

typedef unsigned long (*loop)(unsigned long count);

static void disturb(loop run) {
  on_signal(SIGALRM, on_alarm, SA_RESTART);
  const unsigned long count = 20000, wanted = run(count);
  signals = 0;
  set_timer(150);
  while (signals < SIGNALS) CHECK_EQ(run(count), wanted);
  set_timer(0);
}

/// Two instructions, one of them the tick.
static unsigned long tight(unsigned long count) {
  unsigned long left = count;
  __asm__ volatile("1: dec %0\n jnz 1b" : "+r"(left)::"cc");
  return left + count;
}

/// The carry lives from turn to turn.
static unsigned long carries(unsigned long count) {
  unsigned long sum = 1, high = 0;
  __asm__ volatile(
      "clc\n1: adc %1, %0\n adc $0x7fffffff, %1\n lea -1(%2), %2\n jrcxz 2f\n jmp 1b\n2: setc %%al"
      : "+r"(sum), "+r"(high), "+c"(count)::"rax", "cc");
  return sum ^ high;
}

/// A leaf's locals below the stack pointer.
static unsigned long red_zone(unsigned long count) {
  unsigned long sum = 0;
  __asm__ volatile(
      "1: mov %1, -8(%%rsp)\n mov %0, -128(%%rsp)\n add $3, %0\n mov -128(%%rsp), %%rdx\n add -8(%%rsp), "
      "%%rdx\n"
      "xor %%rdx, %0\n dec %1\n jnz 1b"
      : "+r"(sum), "+r"(count)::"rdx", "cc", "memory");
  return sum;
}

static unsigned long next(unsigned long value) {
  return value * 6364136223846793005UL + 1442695040888963407UL;
}
static unsigned long other(unsigned long value) { return value ^ value >> 7; }
static unsigned long (*volatile functions[2])(unsigned long) = {next, other};

static unsigned long indirect_calls(unsigned long count) {
  unsigned long value = 1;
  for (unsigned long i = 0; i < count; ++i) value = functions[i & 1](value);
  return value;
}

static unsigned long recursion(unsigned long depth) {
  return depth < 2 ? depth : recursion(depth - 1) + recursion(depth - 2);
}
static unsigned long recursive(unsigned long count) { return recursion(count / 1000); }

static unsigned long string_moves(unsigned long count) {
  static unsigned char from[3000], to[3000];
  unsigned long sum = 0;
  for (unsigned long i = 0; i < count / 200; ++i) {
    void *source = from, *target = to;
    unsigned long size = sizeof to - i % 64;
    from[i % sizeof from] = (unsigned char)i;
    __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(size)::"memory");
    sum = sum * 31 + to[i % sizeof to] + (unsigned long)((char*)target - (char*)to) + size;
  }
  return sum;
}

static unsigned long string_scans(unsigned long count) {
  static unsigned char text[2000];
  unsigned long sum = 0;
  for (unsigned long i = 0; i < count / 200; ++i) {
    unsigned long left = sizeof text;
    const void* at = text;
    text[(i * 37) % sizeof text] = 1;
    __asm__ volatile("repne scasb" : "+D"(at), "+c"(left) : "a"(1) : "memory", "cc");
    text[(i * 37) % sizeof text] = 0;
    sum = sum * 31 + left;
  }
  return sum;
}

static unsigned long vectors(unsigned long count) {
  unsigned long words[2];
  __asm__ volatile(
      "pxor %%xmm0, %%xmm0\n pcmpeqd %%xmm1, %%xmm1\n movdqa %%xmm1, %%xmm15\n"
      "1: psubq %%xmm1, %%xmm0\n pshufd $0x4e, %%xmm0, %%xmm2\n paddq %%xmm2, %%xmm15\n movdqa %%xmm15, "
      "%%xmm3\n"
      "pxor %%xmm3, %%xmm0\n dec %1\n jnz 1b\n movdqu %%xmm0, %0"
      : "=m"(words), "+r"(count)::"xmm0", "xmm1", "xmm2", "xmm3", "xmm15", "cc", "memory");
  return words[0] ^ words[1];
}

static unsigned long x87(unsigned long count) {
  double result = 0;
  __asm__ volatile(
      "fninit\n fldz\n fld1\n1: fadd %%st(0), %%st(1)\n fld1\n faddp\n dec %1\n jnz 1b\n fstp %%st(0)\n "
      "fstpl %0"
      : "=m"(result), "+r"(count)::"cc", "memory");
  return (unsigned long)result;
}

static unsigned long flags_on_the_stack(unsigned long count) {
  unsigned long sum = 0, flags = 0;
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n1: add %1, %0\n pushfq\n pop %2\n and $0x8d5, %2\n add %2, %0\n dec %1\n jnz "
      "1b\n"
      "lea 128(%%rsp), %%rsp"
      : "+r"(sum), "+r"(count), "=&r"(flags)::"cc", "memory");
  return sum;
}

static unsigned long atomics(unsigned long count) {
  static unsigned long cell;
  cell = 0;
  for (unsigned long i = 0; i < count; ++i) {
    __atomic_fetch_add(&cell, i, __ATOMIC_SEQ_CST);
    unsigned long seen = cell;
    while (!__atomic_compare_exchange_n(&cell, &seen, seen ^ i << 3, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
      continue;
  }
  return cell;
}

static unsigned long cheap_calls(unsigned long count) {
  unsigned long sum = 0;
  for (unsigned long i = 0; i < count / 20; ++i) sum += (unsigned long)(syscall(SYS_getppid) != 0) + i;
  return sum;
}

#define DISTURB(name) \
  static void disturbed_##name(void) { disturb(name); }
DISTURB(tight)
DISTURB(carries)
DISTURB(red_zone)
DISTURB(indirect_calls)
DISTURB(recursive)
DISTURB(string_moves)
DISTURB(string_scans)
DISTURB(vectors)
DISTURB(x87)
DISTURB(flags_on_the_stack)
DISTURB(atomics)
DISTURB(cheap_calls)

int main(void) {
  RUN(disturbed_tight);
  RUN(disturbed_carries);
  RUN(disturbed_red_zone);
  RUN(disturbed_indirect_calls);
  RUN(disturbed_recursive);
  RUN(disturbed_string_moves);
  RUN(disturbed_string_scans);
  RUN(disturbed_vectors);
  RUN(disturbed_x87);
  RUN(disturbed_flags_on_the_stack);
  RUN(disturbed_atomics);
  RUN(disturbed_cheap_calls);
  return 0;
}
