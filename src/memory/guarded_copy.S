// u64 orrery_guarded_copy(void* to [rdi], const void* from [rsi], u64 bytes [rdx])
//
// rcx always holds the bytes not yet copied: `rep movsb` keeps it exact when it faults (SDM vol. 2,
// "REP": the count, source and destination registers are updated before the fault), and the short
// forms set it to zero only after their single store. So a fault anywhere in between goes on at
// `resume` and the result is right.
  .intel_syntax noprefix
  .text
  .globl orrery_guarded_copy
  .globl orrery_guarded_copy_begin
  .globl orrery_guarded_copy_resume
  .type orrery_guarded_copy, @function
  .p2align 4
orrery_guarded_copy:
  mov rax, rdx
  mov rcx, rdx
  cmp rdx, 8
  je 8f
  cmp rdx, 4
  je 4f
orrery_guarded_copy_begin:
  rep movsb
  jmp orrery_guarded_copy_resume
8:
  mov r8, [rsi]
  mov [rdi], r8
  xor ecx, ecx
  jmp orrery_guarded_copy_resume
4:
  mov r8d, [rsi]
  mov [rdi], r8d
  xor ecx, ecx
orrery_guarded_copy_resume:
  sub rax, rcx
  ret
  .size orrery_guarded_copy, . - orrery_guarded_copy
  .section .note.GNU-stack, "", @progbits
