// What a handler changes in its frame, and what sigreturn makes of it: registers, flags, mask, stack, vector
// state, and frames that the kernel refuses.
#include <immintrin.h>
#include <setjmp.h>
#include <sys/auxv.h>

#include "check.h"

#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u

static void (*volatile edit)(ucontext_t* context);
static volatile int calls;
static void handler(int number, siginfo_t* info, void* context) {
  ++calls;
  edit(context);
}

static void with(void (*change)(ucontext_t* context)) {
  edit = change;
  calls = 0;
  on_signal(SIGUSR1, handler, 0);
}

// --- general registers: an asm block sends the signal and shows what it found afterwards ---

static __attribute__((used)) volatile uint64_t found[16];
static void change_registers(ucontext_t* context) {
  greg_t* regs = context->uc_mcontext.gregs;
  static const int order[] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_R8,
                              REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (int i = 0; i < 14; i++) regs[order[i]] = (greg_t)(0x1111111111111111ull * (unsigned)(i + 1));
}
static void every_register(void) {
  with(change_registers);
  const long pid = getpid();
  __asm__ volatile(
      "push %%rbx; push %%rbp; mov %0, %%rdi; mov $10, %%esi; mov $62, %%eax; syscall\n"
      "mov %%rbx, found+8(%%rip); mov %%rax, found(%%rip); mov %%rcx, found+16(%%rip); mov %%rdx, "
      "found+24(%%rip)\n"
      "mov %%rsi, found+32(%%rip); mov %%rdi, found+40(%%rip); mov %%r8, found+48(%%rip); mov %%r9, "
      "found+56(%%rip)\n"
      "mov %%r10, found+64(%%rip); mov %%r11, found+72(%%rip); mov %%r12, found+80(%%rip); mov %%r13, "
      "found+88(%%rip)\n"
      "mov %%r14, found+96(%%rip); mov %%r15, found+104(%%rip); pop %%rbp; pop %%rbx"
      :
      : "r"(pid)
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
  CHECK_EQ(calls, 1);
  for (int i = 0; i < 14; i++) CHECK_EQ(found[i], 0x1111111111111111ull * (unsigned)(i + 1));
}

static uint64_t send_and_read_flags(void) {
  uint64_t flags;
  const long pid = getpid();
  __asm__ volatile("lea -128(%%rsp), %%rsp; syscall; pushfq; pop %0; cld; lea 128(%%rsp), %%rsp"
                   : "=r"(flags)
                   : "a"(62), "D"(pid), "S"(10)
                   : "rcx", "r11", "memory");
  return flags;
}
static void set_flags(ucontext_t* context) {
  context->uc_mcontext.gregs[REG_EFL] = (greg_t)0x206ad5 & ~0x100;
}
static void flags_of_the_user(void) {
  with(set_flags);
  const uint64_t flags = send_and_read_flags();
  CHECK_EQ(flags & 0x8d5, 0x8d5 & 0x206ad5);
  CHECK_EQ(flags & 0x400, 0x206ad5 & 0x400);
  CHECK_EQ(flags & 0x200, 0x200);  // interrupts stay on
  CHECK_EQ(flags & 0x3000, 0);     // no I/O privilege
}
static void set_id_flag(ucontext_t* context) {
  context->uc_mcontext.gregs[REG_EFL] |= 0x200000 | 0x3000 | 0x4000;
}
static void flags_of_the_system(void) {
  with(set_id_flag);
  CHECK_EQ(send_and_read_flags() & (0x200000 | 0x3000 | 0x4000), 0);
}
static void set_alignment_check(ucontext_t* context) { context->uc_mcontext.gregs[REG_EFL] |= 0x40000; }
static void alignment_check_flag(void) {
  with(set_alignment_check);
  uint64_t flags;
  const long pid = getpid();
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp; syscall; pushfq; mov (%%rsp), %0; andq $~0x40000, (%%rsp); popfq; lea "
      "128(%%rsp), "
      "%%rsp"
      : "=&r"(flags)
      : "a"(62), "D"(pid), "S"(10)
      : "rcx", "r11", "memory");
  CHECK_EQ(flags & 0x40000, 0x40000);
}

static void set_mask(ucontext_t* context) {
  sigemptyset(&context->uc_sigmask);
  sigaddset(&context->uc_sigmask, SIGUSR2);
  sigaddset(&context->uc_sigmask, SIGKILL);
}
static void mask_of_the_frame(void) {
  with(set_mask);
  raise(SIGUSR1);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK_EQ(sigismember(&now, SIGUSR2), 1);
  CHECK_EQ(sigismember(&now, SIGKILL), 0);
  change_mask(SIG_UNBLOCK, SIGUSR2);
}

static char place[65536];
static void set_stack(ucontext_t* context) {
  context->uc_stack = (stack_t){.ss_sp = place, .ss_size = sizeof place, .ss_flags = 0};
}
static void alternate_stack_of_the_frame(void) {
  with(set_stack);
  raise(SIGUSR1);
  stack_t now;
  CHECK_EQ(sigaltstack(NULL, &now), 0);
  CHECK(now.ss_sp == place);
  CHECK_EQ(now.ss_size, sizeof place);
  now.ss_flags = SS_DISABLE;
  CHECK_EQ(sigaltstack(&now, NULL), 0);
}
static void set_bad_stack(ucontext_t* context) {
  context->uc_stack = (stack_t){.ss_sp = place, .ss_size = 5, .ss_flags = 0};
}
static void bad_alternate_stack_is_left(void) {
  with(set_bad_stack);
  raise(SIGUSR1);
  stack_t now;
  CHECK_EQ(sigaltstack(NULL, &now), 0);
  CHECK_EQ(now.ss_flags, SS_DISABLE);
}

// --- vector state ---

static struct _fpx_sw_bytes* software(ucontext_t* context) {
  return (struct _fpx_sw_bytes*)((char*)context->uc_mcontext.fpregs + 464);
}
static uint64_t* xstate_header(ucontext_t* context) {
  return (uint64_t*)((char*)context->uc_mcontext.fpregs + 512);
}

static uint64_t send_with_vector(int which) {
  uint64_t in[4] = {1, 2, 3, 4}, out[4];
  const long pid = getpid();
  __asm__ volatile("vmovdqu (%4), %%ymm5; syscall; vmovdqu %%ymm5, (%5); vzeroupper"
                   :
                   : "a"(62), "D"(pid), "S"(10), "m"(in), "r"(in), "r"(out)
                   : "rcx", "r11", "xmm5", "memory");
  return out[which];
}
static void set_xmm(ucontext_t* context) { context->uc_mcontext.fpregs->_xmm[5].element[0] = 77; }
static void legacy_vector_register(void) {
  with(set_xmm);
  CHECK_EQ((uint32_t)send_with_vector(0), 77);
  CHECK_EQ(send_with_vector(1), 2);
  CHECK_EQ(send_with_vector(2), 3);
}
static void set_upper_half(ucontext_t* context) {
  uint64_t* uppers = (uint64_t*)((char*)context->uc_mcontext.fpregs + 576);
  CHECK_EQ(uppers[10], 3);
  uppers[10] = 99;
}
static void upper_half(void) {
  if (!__builtin_cpu_supports("avx")) SKIP("no AVX");
  with(set_upper_half);
  CHECK_EQ(send_with_vector(2), 99);
  CHECK_EQ(send_with_vector(3), 4);
}
static void clear_components(ucontext_t* context) { xstate_header(context)[0] &= ~4ull; }
static void component_not_in_use(void) {
  if (!__builtin_cpu_supports("avx")) SKIP("no AVX");
  with(clear_components);
  CHECK_EQ(send_with_vector(1), 2);
  CHECK_EQ(send_with_vector(2), 0);
}
static void clear_software_components(ucontext_t* context) { software(context)->xstate_bv &= ~4ull; }
static void component_not_vouched_for(void) {
  if (!__builtin_cpu_supports("avx")) SKIP("no AVX");
  with(clear_software_components);
  CHECK_EQ(send_with_vector(1), 2);
  CHECK_EQ(send_with_vector(2), 0);
}
static void spoil_magic1(ucontext_t* context) { software(context)->magic1 = 0; }
static void without_first_magic(void) {
  with(spoil_magic1);
  CHECK_EQ(send_with_vector(1), 2);
  CHECK_EQ(send_with_vector(2), 0);
}
static void spoil_magic2(ucontext_t* context) {
  uint32_t* magic2 = (uint32_t*)((char*)context->uc_mcontext.fpregs + software(context)->xstate_size);
  CHECK_EQ(*magic2, MAGIC2);
  *magic2 = 0;
}
static void without_second_magic(void) {
  with(spoil_magic2);
  CHECK_EQ(send_with_vector(1), 2);
  CHECK_EQ(send_with_vector(2), 0);
}
static void drop_state(ucontext_t* context) { context->uc_mcontext.fpregs = NULL; }
static void without_vector_state(void) {
  with(drop_state);
  CHECK_EQ(send_with_vector(0), 0);
  CHECK_EQ(send_with_vector(2), 0);
  CHECK_EQ(_mm_getcsr(), 0x1f80);
}
static void set_mxcsr(ucontext_t* context) { context->uc_mcontext.fpregs->mxcsr = 0x9fc0; }
static void control_word_of_sse(void) {
  with(set_mxcsr);
  raise(SIGUSR1);
  CHECK_EQ(_mm_getcsr(), 0x9fc0);
  _mm_setcsr(0x1f80);
}
static void set_x87(ucontext_t* context) { context->uc_mcontext.fpregs->cwd = 0x27f; }
static void control_word_of_x87(void) {
  with(set_x87);
  raise(SIGUSR1);
  unsigned short word = 0;
  __asm__ volatile("fnstcw %0" : "=m"(word));
  CHECK_EQ(word, 0x27f);
  __asm__ volatile("fninit");
}

// --- frames that are refused: SIGSEGV, at the place the frame said ---

static sigjmp_buf back;
static volatile int segv_code;
static void on_segv(int number, siginfo_t* info, void* context) {
  segv_code = info->si_code;
  siglongjmp(back, 1);
}
static void expect_segv(void (*change)(ucontext_t* context)) {
  static char stack[65536];
  const stack_t mine = {.ss_sp = stack, .ss_size = sizeof stack};
  CHECK_EQ(sigaltstack(&mine, NULL), 0);
  on_signal(SIGSEGV, on_segv, SA_ONSTACK);
  segv_code = -1;
  with(change);
  if (sigsetjmp(back, 1) == 0) {
    raise(SIGUSR1);
    CHECK(0);
  }
  CHECK_EQ(segv_code, SI_KERNEL);
  const stack_t off = {.ss_flags = SS_DISABLE};
  CHECK_EQ(sigaltstack(&off, NULL), 0);
}
static void set_wild_pc(ucontext_t* context) {
  context->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000000000ull;
}
static void noncanonical_pc(void) { expect_segv(set_wild_pc); }
static void spoil_mxcsr(ucontext_t* context) { context->uc_mcontext.fpregs->mxcsr = 0xffff0000; }
static void reserved_bits_of_mxcsr(void) { expect_segv(spoil_mxcsr); }
static void spoil_header(ucontext_t* context) { xstate_header(context)[2] = 1; }
static void reserved_words_of_the_header(void) {
  if (!__builtin_cpu_supports("avx")) SKIP("no AVX");
  expect_segv(spoil_header);
}
static void misplace_state(ucontext_t* context) { context->uc_mcontext.fpregs = (fpregset_t)8; }
static void state_nowhere(void) { expect_segv(misplace_state); }
static void set_selectors(ucontext_t* context) {
  uint16_t* selectors = (uint16_t*)&context->uc_mcontext.gregs[REG_CSGSFS];
  selectors[0] = 0x10;
}
static void selector_of_the_kernel(void) { expect_segv(set_selectors); }

static void set_null_stack_selector(ucontext_t* context) {
  uint16_t* selectors = (uint16_t*)&context->uc_mcontext.gregs[REG_CSGSFS];
  CHECK_EQ(selectors[0], 0x33);
  CHECK_EQ(selectors[3], 0x2b);
  CHECK_EQ(context->uc_flags & 6, 6);
  selectors[1] = selectors[2] = 0x77;  // fs and gs are not looked at
}
static void selectors_of_data_do_not_matter(void) {
  with(set_null_stack_selector);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
}

static void image_has_its_magic(ucontext_t* context) {
  if (!__builtin_cpu_supports("avx")) return;
  CHECK_EQ(software(context)->magic1, MAGIC1);
  CHECK_EQ(software(context)->extended_size, software(context)->xstate_size + 4);
  CHECK_EQ(xstate_header(context)[0] & ~software(context)->xstate_bv, 0);
  CHECK_EQ(xstate_header(context)[1], 0);
  CHECK_EQ((uintptr_t)context->uc_mcontext.fpregs % 64, 0);
  CHECK_EQ(context->uc_flags & 1, 1);
}
static void image_of_the_frame(void) {
  with(image_has_its_magic);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
}

int main(void) {
  RUN(every_register);
  RUN(flags_of_the_user);
  RUN(flags_of_the_system);
  RUN(alignment_check_flag);
  RUN(mask_of_the_frame);
  RUN(alternate_stack_of_the_frame);
  RUN(bad_alternate_stack_is_left);
  RUN(legacy_vector_register);
  RUN(upper_half);
  RUN(component_not_in_use);
  RUN(component_not_vouched_for);
  RUN(without_first_magic);
  RUN(without_second_magic);
  RUN(without_vector_state);
  RUN(control_word_of_sse);
  RUN(control_word_of_x87);
  RUN(noncanonical_pc);
  RUN(reserved_bits_of_mxcsr);
  RUN(reserved_words_of_the_header);
  RUN(state_nowhere);
  RUN(selector_of_the_kernel);
  RUN(selectors_of_data_do_not_matter);
  RUN(image_of_the_frame);
  return 0;
}
