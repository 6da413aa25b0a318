// intel: AMD's processors do some of this otherwise, and the machine is an Intel one
// FXSAVE and the XSAVE family: what they write and leave alone, which images they refuse, what they need of
// alignment and access. x87 pointers are not compared: on the machine they are always zero.
#include <cpuid.h>

#include "probe.h"

#define ALL "mov eax, 7; xor edx, edx; "
#define FILL "vzeroall; fninit; "
#define CLEAR                                                                                  \
  "mov qword ptr [rdi + 512], 0; mov qword ptr [rdi + 520], 0; mov qword ptr [rdi + 528], 0; " \
  "mov qword ptr [rdi + 536], 0; mov qword ptr [rdi + 544], 0; mov qword ptr [rdi + 552], 0; " \
  "mov qword ptr [rdi + 560], 0; mov qword ptr [rdi + 568], 0; "
#define SOME_AVX FILL "vpcmpeqd ymm1, ymm1, ymm1; "

#define IMAGES(X)                                                                                            \
  X(save_initial, FILL ALL "xsave [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 520]; mov r10, [rdi + 536]")    \
  X(save_sse, FILL "pcmpeqd xmm1, xmm1; " ALL "xsave [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 176]")       \
  X(save_avx, SOME_AVX ALL "xsave [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 592]; vzeroall")                \
  X(save_after_zeroupper,                                                                                    \
    SOME_AVX "vzeroupper; " ALL "xsave [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 592]; vzeroall")           \
  X(save_x87,                                                                                                \
    FILL "fld1; " ALL "xsave [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 32]; mov r10d, [rdi]; fninit")       \
  X(save_mask_avx, SOME_AVX                                                                                  \
    "mov eax, 4; xor edx, edx; xsave [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 160]; mov r10, [rdi + 24]; " \
    "mov r11, [rdi + 592]; vzeroall")                                                                        \
  X(save_mask_none, FILL "xor eax, eax; xor edx, edx; xsave [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 24]") \
  X(save_mask_high, FILL "mov eax, 7; mov edx, -1; xsave [rdi]; mov r8, [rdi + 512]")                        \
  X(save_mxcsr, FILL "mov dword ptr [rsp - 8], 0x1fa0; ldmxcsr [rsp - 8]; " ALL                              \
                     "xsave [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 24]; mov dword ptr [rsp - 8], "       \
                     "0x1f80; ldmxcsr [rsp - 8]")                                                            \
  X(save_64, FILL ALL "xsave64 [rdi]; mov r8, [rdi + 512]")                                                  \
  X(save_misaligned, ALL "xsave [rdi + 16]")                                                                 \
  X(save_unmapped, ALL "xsave [0x1000]")                                                                     \
  X(save_read_only, ALL "mov r8d, 0x20200000; xsave [r8]")                                                   \
  X(save_register, ".byte 0x0f, 0xae, 0xe0")                                                                 \
  X(save_lock, ".byte 0xf0; xsave [rdi]")                                                                    \
  X(save_66, ".byte 0x66; xsave [rdi]")                                                                      \
  X(save_stack_not_canonical, "mov rbp, 0x800000000000; xsave [rbp + 0]")                                    \
  X(save_not_canonical, "mov rax, 0x800000000000; xsave [rax]")                                              \
  X(compact_initial, FILL ALL                                                                                \
    "xsavec [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 520]; mov r10, [rdi + 160]; mov r11, [rdi + 24]")     \
  X(compact_avx,                                                                                             \
    SOME_AVX ALL "xsavec [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 520]; mov r10, [rdi + 592]; vzeroall")   \
  X(compact_only_avx, SOME_AVX                                                                               \
    "mov eax, 4; xor edx, edx; xsavec [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 520]; mov r10, [rdi + "     \
    "592]; mov r11, [rdi + 24]; vzeroall")                                                                   \
  X(compact_mxcsr, FILL "mov dword ptr [rsp - 8], 0x1fa0; ldmxcsr [rsp - 8]; " ALL                           \
                        "xsavec [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 24]; mov dword ptr [rsp - 8], "   \
                        "0x1f80; ldmxcsr [rsp - 8]")                                                         \
  X(optimized_avx,                                                                                           \
    SOME_AVX ALL "xsaveopt [rdi]; mov r8, [rdi + 512]; mov r9, [rdi + 592]; mov r10, [rdi + 24]; vzeroall")  \
  X(restore_own, CLEAR SOME_AVX ALL "xsave [rdi]; vzeroall; xrstor [rdi]; vmovq r8, xmm1; vzeroall")         \
  X(restore_compact, CLEAR SOME_AVX ALL                                                                      \
    "xsavec [rdi]; vzeroall; xrstor [rdi]; vextracti128 xmm0, ymm1, 1; vmovq r8, xmm0; vzeroall")            \
  X(restore_part, CLEAR SOME_AVX ALL                                                                         \
    "xsave [rdi]; vzeroall; mov eax, 4; xrstor [rdi]; vextracti128 xmm0, ymm1, 1; vmovq r8, xmm0; vmovq "    \
    "r9, xmm1; vzeroall")                                                                                    \
  X(restore_initial,                                                                                         \
    CLEAR SOME_AVX ALL "xsave [rdi]; mov qword ptr [rdi + 512], 0; xrstor [rdi]; vmovq r8, xmm1; vzeroall")  \
  X(restore_compact_wide, CLEAR SOME_AVX                                                                     \
    "mov eax, 6; xor edx, edx; xsavec [rdi]; vzeroall; mov eax, 7; xrstor [rdi]; vextracti128 xmm0, ymm1, "  \
    "1; vmovq r8, xmm0; vzeroall")                                                                           \
  X(restore_unknown_component, CLEAR ALL "xsave [rdi]; mov qword ptr [rdi + 512], 0x400; xrstor [rdi]")      \
  X(restore_bad_header, CLEAR ALL "xsave [rdi]; mov qword ptr [rdi + 528], 1; xrstor [rdi]")                 \
  X(restore_bad_header_high, CLEAR ALL                                                                       \
    "xsave [rdi]; mov qword ptr [rdi + 536], 1; xrstor [rdi]; mov qword ptr [rdi + 568], 1; xrstor [rdi]")   \
  X(restore_bad_format, CLEAR ALL "xsave [rdi]; mov qword ptr [rdi + 520], 7; xrstor [rdi]")                 \
  X(restore_compact_missing, CLEAR ALL                                                                       \
    "xsavec [rdi]; mov qword ptr [rdi + 512], 7; mov rcx, 0x8000000000000003; mov [rdi + 520], rcx; xrstor " \
    "[rdi]")                                                                                                 \
  X(restore_compact_header, CLEAR ALL "xsavec [rdi]; mov qword ptr [rdi + 544], 1; xrstor [rdi]")            \
  X(restore_mxcsr, CLEAR FILL ALL                                                                            \
    "xsave [rdi]; mov dword ptr [rdi + 24], 0x1fbf; xrstor [rdi]; stmxcsr [rsp - 8]; mov r8d, [rsp - 8]; "   \
    "mov dword ptr [rsp - 8], 0x1f80; ldmxcsr [rsp - 8]")                                                    \
  X(restore_reserved_mxcsr, CLEAR ALL "xsave [rdi]; mov dword ptr [rdi + 24], 0x10000; xrstor [rdi]")        \
  X(restore_mxcsr_not_asked,                                                                                 \
    CLEAR ALL "xsave [rdi]; mov dword ptr [rdi + 24], 0x10000; mov eax, 1; xrstor [rdi]")                    \
  X(restore_misaligned, ALL "xrstor [rdi + 8]")                                                              \
  X(restore_unmapped, ALL "xrstor [0x1000]")                                                                 \
  X(restore_garbage, ALL "xrstor [rdi]")                                                                     \
  X(fx_save, FILL                                                                                            \
    "fld1; pcmpeqd xmm3, xmm3; fxsave [rdi]; mov r8, [rdi]; mov r9, [rdi + 24]; mov r10, [rdi + 32]; mov "   \
    "r11, [rdi + 208]; mov r12, [rdi + 416]; mov r13, [rdi + 464]; fninit; vzeroall")                        \
  X(fx_save_misaligned, "fxsave [rdi + 8]")                                                                  \
  X(fx_save_unmapped, "fxsave [0x1000]")                                                                     \
  X(save_across, ALL "xsave [rdi + 8192 - 512]")                                                             \
  X(save_across_end, ALL "xsave [rdi + 8192 - 768]")                                                         \
  X(restore_across, ALL "xrstor [rdi + 8192 - 256]")                                                         \
  X(save_from_nothing, ALL "xsave [rdi - 512]")                                                              \
  X(fx_save_from_nothing, "fxsave [rdi - 256]")                                                              \
  X(environment_from_nothing, "fnstenv [rdi - 10]")                                                          \
  X(fx_save_across, "fxsave [rdi + 8192 - 256]")                                                             \
  X(fx_restore, FILL                                                                                         \
    "fldpi; pcmpeqd xmm3, xmm3; fxsave [rdi]; fninit; vzeroall; fxrstor [rdi]; movq r8, xmm3; fstp tbyte "   \
    "ptr [rdi]; mov r9, [rdi]; vzeroall; fninit")                                                            \
  X(fx_restore_reserved, "fxsave [rdi]; mov dword ptr [rdi + 24], 0x80000000; fxrstor [rdi]")                \
  X(fx_restore_garbage, "fxrstor [rdi]")                                                                     \
  X(fx_restore_misaligned, "fxrstor [rdi + 4]")                                                              \
  X(fx_restore_unmapped, "fxrstor [0x1000]")                                                                 \
  X(fx_save_64, FILL "fxsave64 [rdi]; mov r8, [rdi]; mov r9, [rdi + 24]; fxrstor64 [rdi]")                   \
  X(supervisor_save, ".byte 0x0f, 0xc7, 0x2f")                                                               \
  X(supervisor_restore, ".byte 0x0f, 0xc7, 0x1f")                                                            \
  X(extended_control_2, "mov ecx, 2; xgetbv")                                                                \
  X(extended_control_high, "mov rcx, -1; xgetbv")                                                            \
  X(extended_control_lock, ".byte 0xf0; xor ecx, ecx; xgetbv")                                               \
  X(in_use_initial, FILL "mov ecx, 1; xgetbv; and eax, 7")                                                   \
  X(in_use_avx, SOME_AVX "mov ecx, 1; xgetbv; and eax, 7; vzeroall")

PROBES(images, IMAGES)

static void look(int number, siginfo_t* info, ucontext_t* uc) {
  const fpregset_t state = uc->uc_mcontext.fpregs;
  state->cwd = 0x37f;
  state->swd = 0;
  state->ftw = 0;
  state->mxcsr = 0x1f80;
}

int main(void) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  probe_setup();
  probe_on_stop = look;
  __get_cpuid(1, &a, &b, &c, &d);
  (void)a, (void)b, (void)d;
  if ((c & bit_AVX) == 0 || (c & bit_OSXSAVE) == 0) return 0;
  PROBE_ALL(images);
  return 0;
}
