// The switch between engine stacks: what a C++ function expects to keep stays on the stack that is left.

    .intel_syntax noprefix
    .text

// void orrery_switch_stack(u64* left, u64 entered): keeps the stack pointer in *left, goes on with `entered`.
    .globl orrery_switch_stack
    .type orrery_switch_stack, @function
orrery_switch_stack:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rdi], rsp
    mov rsp, rsi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

// Where a fresh stack begins: rbx holds the function, r12 its argument. The function does not return.
    .globl orrery_begin_stack
    .type orrery_begin_stack, @function
orrery_begin_stack:
    mov rdi, r12
    call rbx
    ud2

    .section .note.GNU-stack, "", @progbits
