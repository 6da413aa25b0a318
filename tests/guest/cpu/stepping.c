// intel: AMD's processors do some of this otherwise, and the machine is an Intel one
// A program that sets the trap flag and steps through itself: where each SIGTRAP comes, what it says, and
// what the instructions between see of the flag.
#include "probe.h"

#define SET_TRAP "pushfq; or dword ptr [rsp], 0x100; popfq; "
#define CLEAR_TRAP "pushfq; and dword ptr [rsp], ~0x100; popfq; "

#define STEPS(X)                                                                                             \
  X(nops, SET_TRAP "nop; nop; " CLEAR_TRAP "nop")                                                            \
  X(arithmetic, SET_TRAP "add rax, rcx; inc ecx; imul rdx, rax, 5; " CLEAR_TRAP)                             \
  X(jumps, SET_TRAP "jmp 1f; nop; 1: jne 2f; nop; 2: test ecx, ecx; jz 1b; " CLEAR_TRAP)                     \
  X(loops, SET_TRAP "1: loop 1b; jrcxz 2f; nop; 2: " CLEAR_TRAP)                                             \
  X(call_and_return, SET_TRAP "call 1f; jmp 2f; 1: ret; 2: " CLEAR_TRAP)                                     \
  X(indirect, "lea r8, [rip + 1f]; " SET_TRAP "jmp r8; nop; 1: lea r8, [rip + 2f]; call r8; 2: " CLEAR_TRAP) \
  X(push_flags, SET_TRAP "pushfq; pop r8; pushfw; pop r9w; " CLEAR_TRAP)                                     \
  X(pop_flags_keeps, SET_TRAP "pushfq; popfq; nop; " CLEAR_TRAP)                                             \
  X(pop_flags_word,                                                                                          \
    "pushfw; or word ptr [rsp], 0x100; popfw; nop; pushfw; and word ptr [rsp], 0xfeff; popfw; nop")          \
  X(move_strings, "lea rdi, [rsp + 64]; " SET_TRAP "rep movsb; " CLEAR_TRAP)                                 \
  X(store_none, "xor ecx, ecx; " SET_TRAP "rep stosb; " CLEAR_TRAP)                                          \
  X(store_one, "mov ecx, 1; " SET_TRAP "rep stosb; " CLEAR_TRAP)                                             \
  X(store_many, SET_TRAP "rep stosq; " CLEAR_TRAP)                                                           \
  X(store_short_count, "mov rcx, 0x100000002; " SET_TRAP ".byte 0x67; rep stosb; " CLEAR_TRAP)               \
  X(scan_found, "mov al, [rdi + 1]; mov ecx, 5; " SET_TRAP "repne scasb; " CLEAR_TRAP)                       \
  X(compare_differs, "mov ecx, 5; " SET_TRAP "repe cmpsb; " CLEAR_TRAP)                                      \
  X(load_strings, SET_TRAP "lodsb; rep lodsb; movsb; stosd; " CLEAR_TRAP)                                    \
  X(store_backwards, "lea rdi, [rdi + 64]; std; " SET_TRAP "rep stosb; cld; " CLEAR_TRAP)                    \
  X(store_faults, "lea rdi, [rdi + 8190]; " SET_TRAP "rep stosb; nop")                                       \
  X(load_stack_segment, "mov eax, 0x2b; " SET_TRAP "mov ss, eax; nop; nop; " CLEAR_TRAP)                     \
  X(load_data_segment, "xor eax, eax; " SET_TRAP "mov es, eax; nop; " CLEAR_TRAP)                            \
  X(system_call, "mov eax, 39; " SET_TRAP "syscall; xor eax, eax; mov ecx, 0; nop; " CLEAR_TRAP)             \
  X(system_calls,                                                                                            \
    "mov eax, 102; " SET_TRAP "syscall; mov eax, 104; syscall; xor eax, eax; xor ecx, ecx; " CLEAR_TRAP)     \
  X(system_call_fails, "mov eax, 999; " SET_TRAP "syscall; xor ecx, ecx; " CLEAR_TRAP)                       \
  X(identity, "mov eax, 0; xor ecx, ecx; " SET_TRAP                                                          \
              "cpuid; xor eax, eax; xor ebx, ebx; xor ecx, ecx; xor edx, edx; " CLEAR_TRAP)                  \
  X(clock, SET_TRAP "rdtsc; xor eax, eax; xor edx, edx; " CLEAR_TRAP)                                        \
  X(state_save,                                                                                              \
    "lea r8, [rdi + 0x800]; " SET_TRAP "fxsave [r8]; fxrstor [r8]; fnstenv [r8]; nop; " CLEAR_TRAP)          \
  X(machine_status, SET_TRAP "smsw ecx; nop; nop; " CLEAR_TRAP)                                              \
  X(access_rights, "mov eax, 0x33; " SET_TRAP "lar ecx, eax; nop; " CLEAR_TRAP)                              \
  X(undefined, SET_TRAP "nop; ud2")                                                                          \
  X(breakpoint, SET_TRAP "nop; int3; nop")                                                                   \
  X(icebp, SET_TRAP "nop; .byte 0xf1; nop")                                                                  \
  X(overflow, SET_TRAP "nop; int 4; nop")                                                                    \
  X(divide, "xor ecx, ecx; " SET_TRAP "nop; div ecx")                                                        \
  X(load_fault, SET_TRAP "nop; mov rax, [0x1000]")                                                           \
  X(privileged, SET_TRAP "nop; hlt")                                                                         \
  X(jump_to_nothing, SET_TRAP "mov eax, 0x1000; jmp rax")                                                    \
  X(store_into_own_page, SET_TRAP "mov byte ptr [rip + 64], 0x90; nop; " CLEAR_TRAP)                         \
  X(vectors, SET_TRAP "movaps xmm1, [rdi]; paddd xmm1, xmm1; movq r8, xmm1; " CLEAR_TRAP)                    \
  X(interrupt_return, SET_TRAP                                                                               \
    "mov r8, rsp; push 0x2b; push r8; push 0x302; push 0x33; lea r9, [rip + 1f]; push r9; iretq; nop; 1: "   \
    "nop; nop; " CLEAR_TRAP)                                                                                 \
  X(interrupt_return_sets,                                                                                   \
    "mov r8, rsp; push 0x2b; push r8; push 0x302; push 0x33; lea r9, [rip + 1f]; push r9; iretq; nop; 1: "   \
    "nop; nop; " CLEAR_TRAP)                                                                                 \
  X(interrupt_return_clears, SET_TRAP                                                                        \
    "mov r8, rsp; push 0x2b; push r8; push 0x202; push 0x33; lea r9, [rip + 1f]; push r9; iretq; nop; 1: "   \
    "nop")                                                                                                   \
  X(enter_leave, SET_TRAP "enter 16, 0; leave; xlatb; cmpxchg [rdi], ecx; " CLEAR_TRAP)

PROBES(steps, STEPS)

static int steps_taken;

/// A step prints and goes on; anything else ends the probe.
static void stepped(int number, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  greg_t* regs = uc->uc_mcontext.gregs;
  if (number != SIGTRAP || info->si_code != TRAP_TRACE) {
    probe_stopped(number, info, context);
    return;
  }
  char line[160];
  ++steps_taken;
  snprintf(line, sizeof line, "  step at code+0x%llx address code+0x%lx trap %lld error %lld flags 0x%llx\n",
           regs[REG_RIP] - PROBE_CODE, (unsigned long)info->si_addr - PROBE_CODE, regs[REG_TRAPNO],
           regs[REG_ERR], regs[REG_EFL]);
  probe_print(line);
  unsigned long flags;
  __asm__ volatile("pushfq; pop %0" : "=r"(flags));
  CHECK_EQ(flags & 0x100, 0);
  if (steps_taken > 60) probe_stopped(number, info, context);
}

static void run_step(const struct probe* probe) {
  begin_case(probe->name);
  probe_reset();
  steps_taken = 0;
  probe_place_code(PROBE_CODE, probe->begin, probe->end);
  probe_go();
}

/// The trap flag comes from a signal frame: by sigreturn.
static void by_signal_frame(void) {
  static const uint8_t code[] = {0x90, 0x90, 0x9c, 0x80, 0x64, 0x24, 0x01, 0xfe, 0x9d, 0x90};
  probe_reset();
  steps_taken = 0;
  probe_place_code(PROBE_CODE, code, code + sizeof code);
  probe_registers[REG_EFL] |= 0x100;
  probe_go();
}

/// A frame that clears it again.
static void cleared_by_frame(int number, siginfo_t* info, void* context) {
  stepped(number, info, context);
  if (info->si_code == TRAP_TRACE) ((ucontext_t*)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}

static void one_step(void) {
  on_signal(SIGTRAP, cleared_by_frame, SA_ONSTACK);
  by_signal_frame();
  on_signal(SIGTRAP, stepped, SA_ONSTACK);
}

/// Steps through a signal handler's start: a handler of another signal runs without the flag.
static volatile unsigned long flags_in_handler;
static void other(int number) {
  unsigned long flags;
  __asm__ volatile("pushfq; pop %0" : "=r"(flags));
  flags_in_handler = flags;
}

static void handler_runs_unstepped(void) {
  signal(SIGUSR2, other);
  steps_taken = 0;
  const long pid = getpid();
  long result;
  sigset_t set;
  sigemptyset(&set);
  __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; syscall; pushfq; andl $~0x100, (%%rsp); popfq"
                   : "=a"(result)
                   : "a"(SYS_kill), "D"(pid), "S"((long)SIGUSR2)
                   : "rcx", "r11", "memory");
  CHECK_EQ(flags_in_handler & 0x100, 0);
  CHECK_EQ(result, 0);
  printf("  %d steps\n", steps_taken);
  fflush(stdout);
}

static void count_only(int number, siginfo_t* info, void* context) { ++steps_taken; }

/// A whole stretch of libc, counted.
static void through_a_library(void) {
  static char text[64];
  on_signal(SIGTRAP, count_only, 0);
  steps_taken = 0;
  __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "memory", "cc");
  volatile int sum = 0;
  for (volatile int i = 0; i < 1000; ++i) sum += i;
  __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory", "cc");
  CHECK_EQ(sum, 499500);
  CHECK(steps_taken > 3000);
  snprintf(text, sizeof text, "  %d steps\n", steps_taken);
  probe_print(text);
  on_signal(SIGTRAP, stepped, SA_ONSTACK);
}

int main(void) {
  probe_setup();
  on_signal(SIGTRAP, stepped, SA_ONSTACK);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; ++i) run_step(&steps[i]);
  RUN(by_signal_frame);
  RUN(one_step);
  on_signal(SIGTRAP, count_only, 0);
  RUN(handler_runs_unstepped);
  RUN(through_a_library);
  return 0;
}
