// The way into guest code and the three ways back. Guest vector registers pass through untouched:
// the engine is compiled without SSE. Only xmm29 to xmm31 are the engine's (see ticks.h).
#include "translate/slots.h"

#define SLOT(name) ORRERY_SLOTS + ORRERY_SLOT_##name
#define GPR(number) ORRERY_SLOTS + ORRERY_SLOT_GPR + 8 * number

    .intel_syntax noprefix
    .text

// u64 orrery_enter(): runs guest code from slots.enter_pc with the registers in slots; returns slots.exit_code.
    .globl orrery_enter
    .type orrery_enter, @function
orrery_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [SLOT(ENGINE_RSP)], rsp
    cmp qword ptr [SLOT(TICKS_IN_MEMORY)], 0
    jne 1f
    vmovq xmm31, [SLOT(TICKS)]
    vmovhps xmm31, xmm31, [SLOT(INSTRUCTIONS)]
    vmovq xmm30, [SLOT(ONE)]
1:  mov qword ptr [SLOT(IN_GUEST)], 1
    // A host signal from here on finds in_guest set and stops the guest itself (machine/host_signals);
    // one that came before has left its word here. No window lies between the two.
    cmp qword ptr [SLOT(STOP_REQUESTED)], 0
    jne 4f
    push [SLOT(RFLAGS)]
    popfq
    mov rax, [GPR(0)]
    mov rcx, [GPR(1)]
    mov rdx, [GPR(2)]
    mov rbx, [GPR(3)]
    mov rsp, [GPR(4)]
    mov rbp, [GPR(5)]
    mov rsi, [GPR(6)]
    mov rdi, [GPR(7)]
    mov r8, [GPR(8)]
    mov r9, [GPR(9)]
    mov r10, [GPR(10)]
    mov r11, [GPR(11)]
    mov r12, [GPR(12)]
    mov r13, [GPR(13)]
    mov r14, [GPR(14)]
    mov r15, [GPR(15)]
    .att_syntax prefix  // in the other syntax clang 14 takes an absolute operand for the target itself
    jmp *SLOT(ENTER_PC)
    .intel_syntax noprefix
4:  mov qword ptr [SLOT(IN_GUEST)], 0
    mov qword ptr [SLOT(EXIT_CODE)], ORRERY_EXIT_INTERRUPTED
    jmp 5f

// The cell of an indirect target that has no code yet: its slot holds the target, rax is spilled.
    .globl orrery_indirect_miss
orrery_indirect_miss:
    mov eax, 1
    jmp orrery_exit_stub

// Every exit of emitted code: guest rax in spill_rax, the exit code in rax.
    .globl orrery_exit_stub
orrery_exit_stub:
    mov [SLOT(EXIT_CODE)], rax
    mov rax, [SLOT(SPILL_RAX)]
    mov [GPR(0)], rax
    mov [GPR(1)], rcx
    mov [GPR(2)], rdx
    mov [GPR(3)], rbx
    mov [GPR(4)], rsp
    mov [GPR(5)], rbp
    mov [GPR(6)], rsi
    mov [GPR(7)], rdi
    mov [GPR(8)], r8
    mov [GPR(9)], r9
    mov [GPR(10)], r10
    mov [GPR(11)], r11
    mov [GPR(12)], r12
    mov [GPR(13)], r13
    mov [GPR(14)], r14
    mov [GPR(15)], r15
    mov rsp, [SLOT(ENGINE_RSP)]
    pushfq
    pop rax
    mov [SLOT(RFLAGS)], rax
    cld
    test eax, 0x40000            // AC: the engine itself is free to access unaligned memory
    jz 2f
    push 0x202
    popfq
2:
    cmp qword ptr [SLOT(TICKS_IN_MEMORY)], 0
    jne 3f
    vmovq [SLOT(TICKS)], xmm31
    vmovhps [SLOT(INSTRUCTIONS)], xmm31
3:  mov qword ptr [SLOT(IN_GUEST)], 0
5:  mov rax, [SLOT(EXIT_CODE)]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

// Where a host signal handler resumes after it lifted the guest's registers into the slots itself.
    .globl orrery_exit_from_signal
orrery_exit_from_signal:
    mov rsp, [SLOT(ENGINE_RSP)]
    jmp 2b
    .globl orrery_exit_path_end
orrery_exit_path_end:

    .section .note.GNU-stack, "", @progbits
