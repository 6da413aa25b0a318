// The hosted test is compiled with SSE, the engine is not; so the guest's vector registers and segment
// bases are loaded around every entry into guest code and saved after it. The linker's --wrap puts
// these in the place of the executors' own ways in.
    .intel_syntax noprefix
    .text

    .macro WRAP name
    .globl __wrap_\name
__wrap_\name:
    push rbp
    mov rbp, rsp
    and rsp, -16
    push rdi
    push rdi
    lea r11, guest_vectors[rip]
    mov eax, -1
    mov edx, -1
    xrstor64 [r11]
    rdfsbase rax
    mov host_fs_base[rip], rax
    rdgsbase rax
    mov host_gs_base[rip], rax
    mov rax, guest_fs_base[rip]
    wrfsbase rax
    mov rax, guest_gs_base[rip]
    wrgsbase rax
    call __real_\name
    mov [rsp], rax
    rdfsbase rax
    mov guest_fs_base[rip], rax
    rdgsbase rax
    mov guest_gs_base[rip], rax
    mov rax, host_fs_base[rip]
    wrfsbase rax
    mov rax, host_gs_base[rip]
    wrgsbase rax
    lea r11, guest_vectors[rip]
    mov eax, -1
    mov edx, -1
    xsave64 [r11]
    lea r11, host_vectors[rip]
    mov eax, -1
    mov edx, -1
    xrstor64 [r11]
    mov rax, [rsp]
    leave
    ret
    .endm

    WRAP orrery_step_enter
    WRAP orrery_enter

    .data
    .balign 64
    .globl guest_vectors, host_vectors
guest_vectors: .zero 16384
host_vectors: .zero 16384
    .globl guest_fs_base, guest_gs_base, host_fs_base, host_gs_base
guest_fs_base: .quad 0
guest_gs_base: .quad 0
host_fs_base: .quad 0
host_gs_base: .quad 0

    .section .note.GNU-stack, "", @progbits
