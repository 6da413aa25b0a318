// The engine's first instructions: hands the host's argument block to orrery_engine_prepare, which maps
// the engine's memory while still on the host's stack, and goes on upon the engine's own.
    .intel_syntax noprefix
    .text
    .globl orrery_engine_start
    .type orrery_engine_start, @function
orrery_engine_start:
    xor ebp, ebp
    mov rdi, rsp
    and rsp, -16
    call orrery_engine_prepare
    mov rsp, rax
    xor ebp, ebp
    call orrery_engine_main
    ud2
    .section .note.GNU-stack, "", @progbits
