// The code around one guest instruction. It is copied to the start of the scratch area and reaches the
// frame, one page above, relative to rip: so no register and no segment is needed to get at it, and
// the guest's rsp is in rsp while the guest's instruction runs. Vector registers pass through.
#include "step/frame.h"

#define FIELD(offset) [rip + .Lbase + ORRERY_STEP_DATA + offset]
#define GPR(number) FIELD(ORRERY_STEP_GPR + 8 * number)

    .intel_syntax noprefix
    .text
    .p2align 4

// u64 orrery_step_enter(const void* scratch): 0 when the instruction is done, 1 after a fault.
    .globl orrery_step_enter
    .type orrery_step_enter, @function
orrery_step_enter:
    jmp rdi
    .size orrery_step_enter, . - orrery_step_enter

    .globl orrery_step_template
    .globl orrery_step_template_exit
    .globl orrery_step_template_fault
    .globl orrery_step_template_end
orrery_step_template:
.Lbase:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov FIELD(ORRERY_STEP_ENGINE_RSP), rsp
    push qword ptr FIELD(ORRERY_STEP_RFLAGS)
    popfq
    mov rax, GPR(0)
    mov rcx, GPR(1)
    mov rdx, GPR(2)
    mov rbx, GPR(3)
    mov rsp, GPR(4)
    mov rbp, GPR(5)
    mov rsi, GPR(6)
    mov rdi, GPR(7)
    mov r8, GPR(8)
    mov r9, GPR(9)
    mov r10, GPR(10)
    mov r11, GPR(11)
    mov r12, GPR(12)
    mov r13, GPR(13)
    mov r14, GPR(14)
    mov r15, GPR(15)
    jmp .Lbase + ORRERY_STEP_BODY

orrery_step_template_exit:
    mov GPR(0), rax
    mov GPR(1), rcx
    mov GPR(2), rdx
    mov GPR(3), rbx
    mov GPR(4), rsp
    mov GPR(5), rbp
    mov GPR(6), rsi
    mov GPR(7), rdi
    mov GPR(8), r8
    mov GPR(9), r9
    mov GPR(10), r10
    mov GPR(11), r11
    mov GPR(12), r12
    mov GPR(13), r13
    mov GPR(14), r14
    mov GPR(15), r15
    mov rsp, FIELD(ORRERY_STEP_ENGINE_RSP)
    pushfq
    pop qword ptr FIELD(ORRERY_STEP_RFLAGS)
    xor eax, eax
1:  push 0x202                      // DF and AC as compiled code expects them
    popfq
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

// Where the host's signal handler goes on after Stepper::recover put the guest's registers away.
orrery_step_template_fault:
    mov rsp, FIELD(ORRERY_STEP_ENGINE_RSP)
    mov eax, 1
    jmp 1b
orrery_step_template_end:

    .section .note.GNU-stack, "", @progbits
