// The alignment-check flag: with AC set a misaligned access is SIGBUS; whatever the kernel, a signal or a
// gate does meanwhile is not. And the other flags that nothing but popf sets.
#include "probe.h"

#define SET "pushfq; or dword ptr [rsp], 0x40000; popfq; "
#define CLEAR "; pushfq; and dword ptr [rsp], ~0x40000; popfq"

#define CHECKS(X)                                                                                            \
  X(load_odd, SET "mov eax, [rdi + 1]; nop")                                                                 \
  X(load_word_odd, SET "mov ax, [rdi + 1]")                                                                  \
  X(load_byte, SET "mov al, [rdi + 1]" CLEAR)                                                                \
  X(load_quad_half, SET "mov rax, [rdi + 4]")                                                                \
  X(load_even, SET "mov eax, [rdi + 4]; mov rcx, [rdi + 8]" CLEAR)                                           \
  X(store_odd, SET "mov [rdi + 2], eax")                                                                     \
  X(push_odd,                                                                                                \
    "dec rsp; "                                                                                              \
    "pushfq; pop rax; " SET "push rax")                                                                      \
  X(relative_odd, SET "mov eax, [rip + 0x100000 - 13]")                                                      \
  X(vector_unaligned, SET "movups xmm0, [rdi + 4]")                                                          \
  X(vector_aligned, SET "movaps xmm0, [rdi + 16]" CLEAR)                                                     \
  X(x87_odd, SET "fld qword ptr [rdi + 4]")                                                                  \
  X(string_odd, "inc rdi; " SET "rep stosd")                                                                 \
  X(calls, SET "call 1f; call 1f; jmp 2f; 1: ret; 2: nop" CLEAR)                                             \
  X(calls_at_odd_places, SET "call 1f; nop; call 1f; nop; nop; call 1f; jmp 2f; nop; 1: ret; 2: nop" CLEAR)  \
  X(indirect_jumps, "lea r8, [rip + 1f]; lea r9, [rip + 2f]; mov ecx, 20; " SET                              \
                    "1: jmp r9; nop; nop; nop; 2: dec ecx; jz 3f; jmp r8; 3: nop" CLEAR)                     \
  X(loops, SET "1: loop 1b" CLEAR)                                                                           \
  X(system_call, "mov eax, 102; " SET "syscall; xor ecx, ecx; mov eax, [rdi + 4]" CLEAR)                     \
  X(system_call_writes, "mov eax, 96; mov r10, rdi; inc rdi; xor esi, esi; " SET                             \
                        "syscall; xor ecx, ecx" CLEAR "; mov qword ptr [r10], 0")                            \
  X(gates, SET                                                                                               \
    "cpuid; xor eax, eax; xor ebx, ebx; xor ecx, ecx; xor edx, edx; smsw ecx; mov eax, 0x33; lar edx, "      \
    "eax" CLEAR)                                                                                             \
  X(shown, SET "pushfq; pop r8" CLEAR)                                                                       \
  X(undefined, SET "ud2")                                                                                    \
  X(page_fault, SET "mov eax, [0x1000]")                                                                     \
  X(odd_and_unmapped, SET "mov eax, [0x1001]")                                                               \
  X(odd_across_pages, SET "mov eax, [rdi + 8190]")                                                           \
  X(store_into_own_page, SET "mov byte ptr [rip + 64], 0x90; nop" CLEAR)                                     \
  X(stepped_too,                                                                                             \
    "pushfq; or dword ptr [rsp], 0x40000; popfq; mov eax, [rdi + 8]; mov [rsp - 16], eax" CLEAR)             \
  X(direction_in_syscall, "mov eax, 102; std; syscall; xor ecx, ecx; lodsb; cld")                            \
  X(direction_in_gates,                                                                                      \
    "std; xor eax, eax; cpuid; xor eax, eax; xor ebx, ebx; xor ecx, ecx; xor edx, edx; stosb; cld")          \
  X(nested_task,                                                                                             \
    "pushfq; or dword ptr [rsp], 0x4000; popfq; pushfq; pop r8; mov eax, 102; syscall; xor ecx, ecx; "       \
    "pushfq; pop r9; pushfq; and dword ptr [rsp], ~0x4000; popfq")                                           \
  X(identification,                                                                                          \
    "pushfq; xor dword ptr [rsp], 0x200000; popfq; pushfq; pop r8; pushfq; and dword ptr [rsp], ~0x200000; " \
    "popfq")                                                                                                 \
  X(privilege_level_stays,                                                                                   \
    "pushfq; or dword ptr [rsp], 0x3000; and dword ptr [rsp], ~0x200; popfq; pushfq; pop r8")                \
  X(virtual_flags_stay, "pushfq; or dword ptr [rsp], 0x1b8000; popfq; pushfq; pop r8")                       \
  X(pop_flags_no_stack, "mov esp, 0x1000; popfq")                                                            \
  X(pop_flags_across, "lea rsp, [rdi + 8192 - 4]; popfq")                                                    \
  X(pop_flags_not_canonical, "mov rsp, 0x800000000000; popfq")                                               \
  X(push_flags_no_stack, "mov esp, 0x1000; pushfq")

PROBES(checks, CHECKS)

/// Calls from where programs lie: their return addresses need eight bytes.
static void calls_from_the_program(void) {
  long sum = 0;
  for (int i = 0; i < 8; ++i)
    __asm__ volatile(
        "pushfq; orl $0x40000, (%%rsp); popfq; call 1f; jmp 2f; 1: inc %0; call 3f; ret; 3: inc %0; ret; "
        "nop; 2: "
        "pushfq; andl $~0x40000, (%%rsp); popfq"
        : "+r"(sum)
        :
        : "memory", "cc");
  CHECK_EQ(sum, 16);
}

int main(void) {
  probe_setup();
  PROBE_ALL(checks);
  RUN(calls_from_the_program);
  return 0;
}
