// void orrery_xsave(void* area, u64 components), and its kin: one instruction each, kept out of C++ so that no
// compiler sees vector registers change.
  .text

#define FUNCTION(name) .globl name; .type name, @function; .p2align 4; name:
#define END(name) .size name, . - name

FUNCTION(orrery_xsave)
  mov %esi, %eax
  mov %rsi, %rdx
  shr $32, %rdx
  xsave64 (%rdi)
  ret
END(orrery_xsave)

FUNCTION(orrery_xrstor)
  mov %esi, %eax
  mov %rsi, %rdx
  shr $32, %rdx
  xrstor64 (%rdi)
  ret
END(orrery_xrstor)

FUNCTION(orrery_fxsave)
  fxsave64 (%rdi)
  ret
END(orrery_fxsave)

FUNCTION(orrery_fxrstor)
  fxrstor64 (%rdi)
  ret
END(orrery_fxrstor)

  .section .note.GNU-stack, "", @progbits
