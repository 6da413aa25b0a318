// x87 and SSE exceptions: masked they leave their marks, unmasked they come as SIGFPE with the kernel's
// codes, the x87 ones at the next waiting instruction. Alignment of vector operands.
#include "probe.h"

#define UNMASK_X87(bits) "fninit; mov dword ptr [rsp - 8], 0x37f & ~(" bits "); fldcw [rsp - 8]; "
#define CLEAN_X87 "; fninit"
#define UNMASK_SSE(bits) "mov dword ptr [rsp - 8], 0x1f80 & ~((" bits ") << 7); ldmxcsr [rsp - 8]; "
#define STATUS "; fnstsw ax"

#define X87(X)                                                                                                                                               \
  X(invalid_masked, "fninit; fldz; fldz; fdivp" STATUS CLEAN_X87)                                                                                            \
  X(stack_underflow_masked, "fninit; fadd st, st(1)" STATUS CLEAN_X87)                                                                                       \
  X(stack_overflow_masked, "fninit; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1" STATUS CLEAN_X87)                                                  \
  X(invalid, UNMASK_X87("1") "fldz; fldz; fdivp; nop; nop; fwait; nop")                                                                                      \
  X(invalid_next_instruction, UNMASK_X87("1") "fldz; fldz; fdivp; inc eax; fld1")                                                                            \
  X(invalid_non_waiting, UNMASK_X87("1") "fldz; fldz; fdivp; fnstsw ax; fnclex; fld1" CLEAN_X87)                                                             \
  X(invalid_then_fninit, UNMASK_X87("1") "fldz; fldz; fdivp; fninit; fld1" CLEAN_X87)                                                                        \
  X(stack_underflow, UNMASK_X87("1") "fadd st, st(1); fwait")                                                                                                \
  X(divide_by_zero, UNMASK_X87("4") "fld1; fldz; fdivp; fwait")                                                                                              \
  X(overflow, UNMASK_X87("8") "mov dword ptr [rdi], 20000; fild dword ptr [rdi]; fld1; fscale; fwait; fstp dword ptr [rdi]; fwait")                          \
  X(underflow, UNMASK_X87("16") "mov dword ptr [rdi], -20000; fild dword ptr [rdi]; fld1; fscale; fwait; fstp dword ptr [rdi]; fwait")                       \
  X(inexact, UNMASK_X87("32") "fld1; fldpi; fdivp; fwait")                                                                                                   \
  X(denormal, UNMASK_X87("2") "mov dword ptr [rdi], 1; fld dword ptr [rdi]; fwait")                                                                          \
  X(several, UNMASK_X87("0x3f") "fld1; fldz; fdivp; fwait")                                                                                                  \
  X(invalid_before_mmx, UNMASK_X87("1") "fldz; fldz; fdivp; movq mm0, [rdi]")                                                                                \
  X(invalid_before_fxsave,                                                                                                                                   \
    UNMASK_X87("1") "fldz; fldz; fdivp; lea r8, [rdi + 512]; fxsave [r8]; fnclex; emms" CLEAN_X87)                                                           \
  X(invalid_before_fnsave, UNMASK_X87("1") "fldz; fldz; fdivp; fnsave [rdi]; movzx r8d, word ptr [rdi + 4]; fwait; fnstcw [rdi]; movzx r9d, word ptr [rdi]") \
  X(invalid_before_fsave, UNMASK_X87("1") "fldz; fldz; fdivp; fsave [rdi]")                                                                                  \
  X(invalid_before_syscall, UNMASK_X87("1") "fldz; fldz; fdivp; mov eax, 102; syscall; xor ecx, ecx; fwait")                                                 \
  X(invalid_before_cpuid,                                                                                                                                    \
    UNMASK_X87(                                                                                                                                              \
        "1") "fldz; fldz; fdivp; xor eax, eax; cpuid; xor eax, eax; xor ebx, ebx; xor edx, edx; fwait")                                                      \
  X(integer_overflow_masked,                                                                                                                                 \
    "fninit; mov dword ptr [rdi], 40000; fild dword ptr [rdi]; fistp word ptr [rdi]; movzx ecx, word ptr "                                                   \
    "[rdi]" STATUS CLEAN_X87)                                                                                                                                \
  X(compare_flags, "fninit; fld1; fldz; fcomi st, st(1); fucompp" STATUS CLEAN_X87)                                                                          \
  X(conditional_moves,                                                                                                                                       \
    "fninit; fld1; fldz; stc; fcmovb st, st(1); fistp dword ptr [rdi]; mov ecx, [rdi]" CLEAN_X87)                                                            \
  X(load_constants,                                                                                                                                          \
    "fninit; fldl2t; fldl2e; fldlg2; fldln2; fldpi; fstp tbyte ptr [rdi]; mov r8, [rdi]; movzx r9d, word "                                                   \
    "ptr [rdi + 8]" CLEAN_X87)                                                                                                                               \
  X(transcendental,                                                                                                                                          \
    "fninit; fldpi; fsin; fld1; fpatan; fstp qword ptr [rdi]; mov r8, [rdi]" STATUS CLEAN_X87)                                                               \
  X(remainder, "fninit; fldpi; fldl2t; fprem1; fstp qword ptr [rdi]; mov r8, [rdi]" STATUS CLEAN_X87)                                                        \
  X(packed_decimal,                                                                                                                                          \
    "fninit; fldl2t; fbstp [rdi]; fbld [rdi]; fistp word ptr [rdi]; movzx ecx, word ptr [rdi]" CLEAN_X87)                                                    \
  X(environment,                                                                                                                                             \
    "fninit; fld1; fldz; fnstenv [rdi]; mov r8d, [rdi]; mov r9d, [rdi + 4]; mov r10d, [rdi + 8]" CLEAN_X87)                                                  \
  X(environment_narrow,                                                                                                                                      \
    "fninit; fld1; fldz; .byte 0x66; fnstenv [rdi]; mov r8, [rdi]; shl r8, 16; mov r9, [rdi + 8]; shr r9, "                                                  \
    "48; fldenv "                                                                                                                                            \
    "[rdi]; fninit")                                                                                                                                         \
  X(environment_load,                                                                                                                                        \
    "fninit; fld1; fnstenv [rdi]; fninit; fldenv [rdi]; fnstsw ax; fstp qword ptr [rdi]; mov r8, "                                                           \
    "[rdi]" CLEAN_X87)                                                                                                                                       \
  X(state_round_trip,                                                                                                                                        \
    "fninit; fldpi; fld1; fnsave [rdi]; fldz; frstor [rdi]; fstp st; fstp qword ptr [rdi]; mov r8, "                                                         \
    "[rdi]" CLEAN_X87)                                                                                                                                       \
  X(state_narrow,                                                                                                                                            \
    "fninit; fldpi; fld1; .byte 0x66; fnsave [rdi]; mov r8, [rdi + 14]; mov r9, [rdi + 24]; .byte 0x66; "                                                    \
    "frstor [rdi]" STATUS CLEAN_X87)                                                                                                                         \
  X(environment_fault, "fninit; fnstenv [0x1000]")                                                                                                           \
  X(environment_across, "fninit; fnstenv [rdi + 8192 - 20]")                                                                                                 \
  X(environment_fault_keeps_mask, UNMASK_X87("1") "fnstenv [0x1000]")                                                                                        \
  X(state_across, "fninit; fnsave [rdi + 8192 - 100]")                                                                                                       \
  X(empty_mmx,                                                                                                                                               \
    "fninit; movq mm0, [rdi]; paddb mm0, mm0; movq r8, mm0; fnstenv [rdi]; movzx r9d, word ptr [rdi + 8]; "                                                  \
    "emms")

PROBES(x87, X87)

#define SSE(X)                                                                                                                         \
  X(divide_masked,                                                                                                                     \
    "mov dword ptr [rsp-8], 0x1f80; ldmxcsr [rsp-8]; xorps xmm1, xmm1; mov eax, 0x3f800000; movd xmm0, "                               \
    "eax; divss xmm0, xmm1; movd ecx, xmm0; stmxcsr [rsp - 8]; mov edx, [rsp - 8]")                                                    \
  X(sse_invalid, UNMASK_SSE("1") "xorps xmm0, xmm0; xorps xmm1, xmm1; divss xmm0, xmm1; nop")                                          \
  X(sse_denormal, UNMASK_SSE("2") "mov eax, 1; movd xmm0, eax; movd xmm1, eax; mulss xmm0, xmm1; nop")                                 \
  X(sse_divide,                                                                                                                        \
    UNMASK_SSE("4") "xorps xmm1, xmm1; mov eax, 0x3f800000; movd xmm0, eax; divss xmm0, xmm1; nop")                                    \
  X(sse_overflow, UNMASK_SSE("8") "mov eax, 0x7f000000; movd xmm0, eax; mulss xmm0, xmm0; nop")                                        \
  X(sse_underflow, UNMASK_SSE("16") "mov eax, 0x00800001; movd xmm0, eax; mulss xmm0, xmm0; nop")                                      \
  X(sse_inexact, UNMASK_SSE("32") "mov eax, 0x3f800000; movd xmm0, eax; mov ecx, 0x40400000; movd xmm1, ecx; divss xmm0, xmm1; nop")   \
  X(sse_all,                                                                                                                           \
    UNMASK_SSE("63") "xorps xmm1, xmm1; mov eax, 0x3f800000; movd xmm0, eax; divss xmm0, xmm1; nop")                                   \
  X(sse_packed, UNMASK_SSE("1") "xorps xmm0, xmm0; xorpd xmm1, xmm1; divpd xmm0, xmm1")                                                \
  X(sse_convert, UNMASK_SSE("1") "mov eax, 0x7f000000; movd xmm0, eax; cvtss2si ecx, xmm0")                                            \
  X(sse_compare_quiet,                                                                                                                 \
    UNMASK_SSE("1") "mov eax, 0x7fc00000; movd xmm0, eax; ucomiss xmm0, xmm0; comiss xmm0, xmm0")                                      \
  X(sse_memory_relative,                                                                                                             \
    UNMASK_SSE(                                                                                                                      \
        "4") "mov eax, 0x3f800000; movd xmm0, eax; mov dword ptr [rdi], 0; divss xmm0, [rip + 0x100000 - "                           \
             "36]") \
  X(avx_divide,                                                                                                                        \
    UNMASK_SSE(                                                                                                                        \
        "4") "vxorps xmm1, xmm1, xmm1; mov eax, 0x3f800000; vmovd xmm0, eax; vdivss xmm0, xmm0, xmm1")                                 \
  X(reserved_mxcsr, "mov dword ptr [rsp - 8], 0x10000; ldmxcsr [rsp - 8]")                                                             \
  X(rounding,                                                                                                                          \
    "mov dword ptr [rsp - 8], 0x7f80; ldmxcsr [rsp - 8]; mov eax, 0x3fc00000; movd xmm0, eax; cvtss2si "                               \
    "ecx, xmm0; mov dword ptr [rsp - 8], 0x1f80; ldmxcsr [rsp - 8]")                                                                   \
  X(flush_to_zero,                                                                                                                     \
    "mov dword ptr [rsp - 8], 0x9fc0; ldmxcsr [rsp - 8]; mov eax, 0x00800001; movd xmm0, eax; mulss xmm0, "                            \
    "xmm0; movd ecx, xmm0; stmxcsr [rsp - 8]; mov edx, [rsp - 8]; mov dword ptr [rsp - 8], 0x1f80; ldmxcsr "                           \
    "[rsp - 8]")                                                                                                                       \
  X(misaligned_load, "movaps xmm0, [rdi + 1]")                                                                                         \
  X(misaligned_store, "movdqa [rdi + 8], xmm0")                                                                                        \
  X(misaligned_operand, "paddd xmm0, [rdi + 4]")                                                                                       \
  X(misaligned_unmapped, "movaps xmm0, [0x1001]")                                                                                      \
  X(misaligned_stack, "movaps [rsp + 4], xmm0")                                                                                        \
  X(misaligned_vex, "vpaddd xmm0, xmm0, [rdi + 4]; vmovaps xmm1, [rdi + 16]")                                                          \
  X(misaligned_vex_aligned, "vmovaps ymm0, [rdi + 16]")                                                                                \
  X(misaligned_stream, "movntdq [rdi + 4], xmm0")                                                                                      \
  X(unaligned_across_end, "movups xmm0, [rdi + 8192 - 8]")                                                                             \
  X(unaligned_store_across_end, "movups [rdi + 8192 - 8], xmm0")                                                                       \
  X(masked_move_suppressed, "pxor xmm1, xmm1; mov rdi, 0x1000; maskmovdqu xmm0, xmm1")                                                 \
  X(masked_load_suppressed, "vpxor xmm1, xmm1, xmm1; vmaskmovps xmm0, xmm1, [0x1000]")                                                 \
  X(masked_load_part,                                                                                                                  \
    "vpcmpeqd xmm1, xmm1, xmm1; vpsrldq xmm1, xmm1, 8; vmaskmovps xmm0, xmm1, [rdi + 8192 - 8]; vmovd ecx, "                           \
    "xmm0")                                                                                                                            \
  X(masked_load_faults, "vpcmpeqd xmm1, xmm1, xmm1; vmaskmovps xmm0, xmm1, [rdi + 8192 - 8]")                                          \
  X(gather_faults_midway,                                                                                                              \
    "vpcmpeqd xmm1, xmm1, xmm1; mov dword ptr [rsp], 0; mov dword ptr [rsp+4], 4; mov dword ptr [rsp+8], "                             \
    "8192; mov dword ptr [rsp+12], 8; movups xmm2, [rsp]; pxor xmm0, xmm0; vpgatherdd xmm0, [rdi + xmm2], "                            \
    "xmm1")

PROBES(sse, SSE)

/// The vector state must be plain for the next probe, and what a gather left behind is worth a look.
static void look(int number, siginfo_t* info, ucontext_t* uc) {
  char line[200];
  const fpregset_t state = uc->uc_mcontext.fpregs;
  snprintf(line, sizeof line, "  control %x status %x tags %x mxcsr %x xmm0 %08x.%08x xmm1 %08x.%08x\n",
           state->cwd, state->swd, state->ftw, state->mxcsr, state->_xmm[0].element[1],
           state->_xmm[0].element[0], state->_xmm[1].element[3], state->_xmm[1].element[0]);
  probe_print(line);
  state->cwd = 0x37f;
  state->swd = 0;
  state->ftw = 0;
  state->mxcsr = 0x1f80;
}

int main(void) {
  probe_setup();
  probe_on_stop = look;
  PROBE_ALL(x87);
  PROBE_ALL(sse);
  return 0;
}
