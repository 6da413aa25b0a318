# See interruptible.h. The window is [check, end): a handler that finds the program counter inside it
# moves it to give_up. At `end` the kernel has answered, and the answer stands.

        .section .note.GNU-stack, "", @progbits
        .text

        .globl  orrery_interruptible_syscall
        .type   orrery_interruptible_syscall, @function
        .hidden orrery_interruptible_syscall
orrery_interruptible_syscall:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
        movq    16(%rsp), %rcx
        .globl  orrery_interruptible_check
        .hidden orrery_interruptible_check
orrery_interruptible_check:
        cmpl    $0, (%rcx)
        jne     orrery_interruptible_give_up
        syscall
        .globl  orrery_interruptible_end
        .hidden orrery_interruptible_end
orrery_interruptible_end:
        ret
        .globl  orrery_interruptible_give_up
        .hidden orrery_interruptible_give_up
orrery_interruptible_give_up:
        movq    $-4, %rax               # -EINTR
        ret
        .size   orrery_interruptible_syscall, . - orrery_interruptible_syscall

        .globl  orrery_signal_restorer
        .hidden orrery_signal_restorer
        .type   orrery_signal_restorer, @function
orrery_signal_restorer:
        movl    $15, %eax               # rt_sigreturn
        syscall
        hlt
        .size   orrery_signal_restorer, . - orrery_signal_restorer
