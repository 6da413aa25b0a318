// The frame itself: alignment, red zone, uc_flags, selectors, the extended state's magic words, uc_link,
// oldmask.
#include "check.h"

static volatile int calls;
static unsigned long interrupted_sp;

struct software {
  uint32_t magic1, extended_size;
  uint64_t features;
  uint32_t xstate_size, padding[7];
};

static void look(int number, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  greg_t* regs = uc->uc_mcontext.gregs;
  const uintptr_t frame = (uintptr_t)uc - 8;
  ++calls;
  interrupted_sp = (unsigned long)regs[REG_RSP];
  CHECK_EQ(frame % 16, 8);
  CHECK_EQ((uintptr_t)info - (uintptr_t)uc, 304);
  const uintptr_t image = (uintptr_t)uc->uc_mcontext.fpregs;
  CHECK(image != 0);
  CHECK_EQ(image % 64, 0);
  CHECK((uintptr_t)info + 128 <= image);
  CHECK(image < interrupted_sp - 128);
  CHECK(uc->uc_link == NULL);
  CHECK_EQ(regs[REG_CSGSFS] & 0xffff, 0x33);
  CHECK_EQ((uint64_t)regs[REG_CSGSFS] >> 48, 0x2b);
  CHECK_EQ(uc->uc_flags & 6, 6);
  CHECK_EQ(regs[REG_OLDMASK], 1 << (SIGHUP - 1));
  CHECK_EQ(sigismember(&uc->uc_sigmask, SIGHUP), 1);
  CHECK_EQ(sigismember(&uc->uc_sigmask, SIGUSR1), 0);
  if ((uc->uc_flags & 1) != 0) {
    struct software software;
    memcpy(&software, (char*)image + 464, sizeof software);
    CHECK_EQ(software.magic1, 0x46505853);
    CHECK_EQ(software.extended_size, software.xstate_size + 4);
    CHECK_EQ(software.features & 3, 3);
    uint32_t magic2, eax = 13, ebx, ecx = 0, edx;
    memcpy(&magic2, (char*)image + software.xstate_size, 4);
    CHECK_EQ(magic2, 0x46505845);
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    CHECK(software.xstate_size <= ebx);
    uint64_t components;
    memcpy(&components, (char*)image + 512, 8);
    CHECK_EQ(components & 3, 3);
    CHECK_EQ(components & ~software.features, 0);
    CHECK(image + software.extended_size <= interrupted_sp - 128);
  }
}

static __attribute__((noinline)) long red_zone(long pid) {
  // A leaf's locals lie below rsp; the handler's frame must leave 128 bytes alone.
  long sum = 0, result;
  __asm__ volatile(
      "movq $11, -8(%%rsp); movq $22, -64(%%rsp); movq $33, -128(%%rsp); syscall; "
      "movq -8(%%rsp), %0; addq -64(%%rsp), %0; addq -128(%%rsp), %0"
      : "=&r"(sum), "=a"(result)
      : "a"(SYS_kill), "D"(pid), "S"((long)SIGUSR1)
      : "rcx", "r11", "memory");
  return sum;
}

static void frame_of_a_call(void) {
  change_mask(SIG_BLOCK, SIGHUP);
  on_signal(SIGUSR1, look, 0);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
}

static void red_zone_is_kept(void) {
  CHECK_EQ(red_zone(getpid()), 66);
  CHECK_EQ(calls, 2);
}

int main(void) {
  RUN(frame_of_a_call);
  RUN(red_zone_is_kept);
  return 0;
}
