// intel: AMD's processors do some of this otherwise, and the machine is an Intel one
// Far transfers and segment registers: what a program may load, what it may not, and what becomes of the
// bases.
#include "probe.h"

#define PUSH_FAR(selector) "lea r8, [rip + 1f]; push " selector "; push r8; "

#define TRANSFERS(X)                                                                                         \
  X(far_return, PUSH_FAR("0x33") ".byte 0x48, 0xcb; hlt; 1: nop")                                            \
  X(far_return_drop, PUSH_FAR("0x33") ".byte 0x48, 0xca, 24, 0; hlt; 1: nop")                                \
  X(far_return_narrow,                                                                                       \
    "lea r8, [rip + 1f]; sub rsp, 8; mov [rsp], r8d; mov dword ptr [rsp + 4], 0x33; .byte 0xcb; hlt; 1: "    \
    "nop")                                                                                                   \
  X(far_return_null, PUSH_FAR("0") ".byte 0x48, 0xcb; hlt; 1: nop")                                          \
  X(far_return_null_3, PUSH_FAR("3") ".byte 0x48, 0xcb; hlt; 1: nop")                                        \
  X(far_return_kernel, PUSH_FAR("0x10") ".byte 0x48, 0xcb; hlt; 1: nop")                                     \
  X(far_return_privileged, PUSH_FAR("0x30") ".byte 0x48, 0xcb; hlt; 1: nop")                                 \
  X(far_return_data, PUSH_FAR("0x2b") ".byte 0x48, 0xcb; hlt; 1: nop")                                       \
  X(far_return_task, PUSH_FAR("0x40") ".byte 0x48, 0xcb; hlt; 1: nop")                                       \
  X(far_return_local, PUSH_FAR("0x37") ".byte 0x48, 0xcb; hlt; 1: nop")                                      \
  X(far_return_beyond, PUSH_FAR("0x7ff3") ".byte 0x48, 0xcb; hlt; 1: nop")                                   \
  X(far_return_not_canonical, "push 0x33; mov r8, 0x800000000000; push r8; .byte 0x48, 0xcb")                \
  X(far_return_no_stack, "mov rsp, 0x1000; .byte 0x48, 0xcb")                                                \
  X(far_return_half_stack, "lea rsp, [rdi + 8192 - 8]; .byte 0x48, 0xcb")                                    \
  X(far_return_odd_stack, "mov rsp, 0x800000000000; .byte 0x48, 0xcb")                                       \
  X(interrupt_return, "mov r9, rsp; push 0x2b; push r9; push 0x246; " PUSH_FAR("0x33") "iretq; hlt; 1: nop") \
  X(interrupt_return_flags,                                                                                  \
    "mov r9, rsp; push 0x2b; push r9; push 0x200ed7; " PUSH_FAR("0x33") "iretq; hlt; 1: nop")                \
  X(interrupt_return_stack, "push 0x2b; push rdi; push 0x202; " PUSH_FAR("0x33") "iretq; hlt; 1: nop")       \
  X(interrupt_return_null_stack, "push 0; push rdi; push 0x202; " PUSH_FAR("0x33") "iretq; hlt; 1: nop")     \
  X(interrupt_return_code_stack, "push 0x33; push rdi; push 0x202; " PUSH_FAR("0x33") "iretq; hlt; 1: nop")  \
  X(interrupt_return_kernel_stack,                                                                           \
    "push 0x18; push rdi; push 0x202; " PUSH_FAR("0x33") "iretq; hlt; 1: nop")                               \
  X(interrupt_return_kernel, "push 0x2b; push rdi; push 0x202; " PUSH_FAR("0x10") "iretq; hlt; 1: nop")      \
  X(interrupt_return_nested,                                                                                 \
    "pushfq; or dword ptr [rsp], 0x4000; popfq; push 0x2b; push rdi; push 0x202; " PUSH_FAR(                 \
        "0x33") "iretq; hlt; 1: nop")                                                                        \
  X(interrupt_return_not_canonical,                                                                          \
    "push 0x2b; push rdi; push 0x202; push 0x33; mov r8, 0x800000000000; push r8; iretq")                    \
  X(interrupt_return_no_stack, "mov rsp, 0x1000; iretq")                                                     \
  X(interrupt_return_narrow,                                                                                 \
    "lea r8, [rip + 1f]; mov [rdi], r8d; mov dword ptr [rdi+4], 0x33; mov dword ptr [rdi+8], 0x202; mov "    \
    "[rdi+12], esp; mov dword ptr [rdi+16], 0x2b; mov rsp, rdi; iretd; hlt; 1: nop")                         \
  X(far_jump,                                                                                                \
    "lea r8, [rip + 1f]; mov [rdi], r8; mov word ptr [rdi + 8], 0x33; .byte 0x48; jmp fword ptr [rdi]; "     \
    "hlt; 1: "                                                                                               \
    "nop")                                                                                                   \
  X(far_jump_narrow,                                                                                         \
    "lea r8, [rip + 1f]; mov [rdi], r8d; mov word ptr [rdi + 4], 0x33; jmp fword ptr [rdi]; hlt; 1: nop")    \
  X(far_jump_zero_privilege,                                                                                 \
    "lea r8, [rip + 1f]; mov [rdi], r8d; mov word ptr [rdi + 4], 0x30; jmp fword ptr [rdi]; hlt; 1: nop")    \
  X(far_jump_null,                                                                                           \
    "lea r8, [rip + 1f]; mov [rdi], r8d; mov word ptr [rdi + 4], 0; jmp fword ptr [rdi]; hlt; 1: nop")       \
  X(far_jump_kernel,                                                                                         \
    "lea r8, [rip + 1f]; mov [rdi], r8d; mov word ptr [rdi + 4], 0x10; jmp fword ptr [rdi]; hlt; 1: nop")    \
  X(far_jump_data,                                                                                           \
    "lea r8, [rip + 1f]; mov [rdi], r8d; mov word ptr [rdi + 4], 0x2b; jmp fword ptr [rdi]; hlt; 1: nop")    \
  X(far_jump_task,                                                                                           \
    "lea r8, [rip + 1f]; mov [rdi], r8d; mov word ptr [rdi + 4], 0x40; jmp fword ptr [rdi]; hlt; 1: nop")    \
  X(far_jump_fault, "jmp fword ptr [0x1000]")                                                                \
  X(far_jump_across, "lea r9, [rdi + 8192 - 4]; jmp fword ptr [r9]")                                         \
  X(far_jump_register, ".byte 0xff, 0xe8")                                                                   \
  X(far_call,                                                                                                \
    "lea r8, [rip + 1f]; mov [rdi], r8; mov word ptr [rdi + 8], 0x33; .byte 0x48; call fword ptr [rdi]; "    \
    "hlt; 1: "                                                                                               \
    "pop r10; pop r11")                                                                                      \
  X(far_call_narrow,                                                                                         \
    "lea r8, [rip + 1f]; mov [rdi], r8d; mov word ptr [rdi + 4], 0x33; call fword ptr [rdi]; hlt; 1: pop "   \
    "r10")                                                                                                   \
  X(far_call_and_return,                                                                                     \
    "lea r8, [rip + 1f]; mov [rdi], r8; mov word ptr [rdi + 8], 0x33; .byte 0x48; call fword ptr [rdi]; "    \
    "nop; jmp "                                                                                              \
    "2f; 1: .byte 0x48, 0xcb; 2: nop")                                                                       \
  X(far_call_no_stack,                                                                                       \
    "lea r8, [rip + 1f]; mov [rdi], r8; mov word ptr [rdi + 8], 0x33; mov esp, 0x1000; .byte 0x48; call "    \
    "fword "                                                                                                 \
    "ptr [rdi]; 1: nop")                                                                                     \
  X(far_call_null, "mov qword ptr [rdi], 0; mov qword ptr [rdi + 8], 0; .byte 0x48; call fword ptr [rdi]")   \
  X(far_loop,                                                                                                \
    "mov ecx, 40; 1: lea r8, [rip + 2f]; push 0x33; push r8; .byte 0x48, 0xcb; 2: dec ecx; jnz "             \
    "1b")

PROBES(transfers, TRANSFERS)

#define SEGMENTS(X)                                                                                          \
  X(load_ds_null, "xor eax, eax; mov ds, eax; mov rcx, [rdi]")                                               \
  X(load_ds_user, "mov eax, 0x2b; mov ds, eax; mov r8d, ds; mov rcx, [rdi]; xor eax, eax; mov ds, eax")      \
  X(load_es_code, "mov eax, 0x33; mov es, eax; mov r8d, es; xor eax, eax; mov es, eax")                      \
  X(load_ds_kernel, "mov eax, 0x18; mov ds, eax")                                                            \
  X(load_es_kernel_code, "mov eax, 0x10; mov es, eax")                                                       \
  X(load_ds_task, "mov eax, 0x40; mov ds, eax")                                                              \
  X(load_ds_local, "mov eax, 7; mov ds, eax")                                                                \
  X(load_ds_beyond, "mov eax, 0xfff3; mov ds, eax")                                                          \
  X(load_ss_user, "mov eax, 0x2b; mov ss, eax; push rax; pop rcx")                                           \
  X(load_ss_null, "xor eax, eax; mov ss, eax")                                                               \
  X(load_ss_null_3, "mov eax, 3; mov ss, eax")                                                               \
  X(load_ss_code, "mov eax, 0x33; mov ss, eax")                                                              \
  X(load_ss_privileged, "mov eax, 0x28; mov ss, eax")                                                        \
  X(load_cs, ".byte 0x8e, 0xc8")                                                                             \
  X(load_segment_6, ".byte 0x8e, 0xf0")                                                                      \
  X(store_segment_6, ".byte 0x8c, 0xf0")                                                                     \
  X(store_cs, "mov r8d, cs; mov r9, cs; mov [rdi], cs; mov r10, [rdi]")                                      \
  X(store_ss, "mov r8d, ss; mov r9, ss; .byte 0x66; mov ecx, ss")                                            \
  X(store_ds, "mov r8d, ds; mov r9d, es; mov r10d, fs; mov r11d, gs")                                        \
  X(load_ds_memory_fault, "mov ds, word ptr [0x1000]")                                                       \
  X(push_pop_gs, "push gs; pop r8; push 0; pop gs; mov r9d, gs")                                             \
  X(pop_gs_bad, "push 0x18; pop gs")                                                                         \
  X(pop_fs_bad, "push 0x10; pop fs")                                                                         \
  X(lss, "mov dword ptr [rdi], 0x20308000; mov word ptr [rdi + 4], 0x2b; lss esp, [rdi]; push rax; pop rcx") \
  X(lss_bad, "mov dword ptr [rdi], 0; mov word ptr [rdi + 4], 0x18; lss esp, [rdi]")                         \
  X(lgs_null, "mov qword ptr [rdi], 0x11; lgs r8d, [rdi]; mov r9d, gs")                                      \
  X(gs_base,                                                                                                 \
    "wrgsbase rdi; rdgsbase r8; mov rcx, gs:[8]; mov r9, gs:[rbx - 0x20100000]; xor eax, eax; wrgsbase rax") \
  X(gs_base_narrow, "mov r8, -1; wrgsbase r8d; rdgsbase r9; xor eax, eax; wrgsbase rax")                     \
  X(gs_base_not_canonical, "mov r8, 0x800000000000; wrgsbase r8")                                            \
  X(gs_base_selector_clears, "wrgsbase rdi; xor eax, eax; mov gs, eax; rdgsbase r8")                         \
  X(gs_base_user_selector,                                                                                   \
    "wrgsbase rdi; mov eax, 0x2b; mov gs, eax; rdgsbase r8; xor eax, eax; mov gs, eax")                      \
  X(gs_relative_fault, "mov r8d, 0x1000; wrgsbase r8; mov rcx, gs:[16]")                                     \
  X(gs_gated_operand,                                                                                        \
    "wrgsbase rdi; mov word ptr [rdi + 64], 0x33; lar ecx, word ptr gs:[64]; smsw word ptr gs:[72]; mov "    \
    "r8, [rdi + 72]; xor eax, eax; wrgsbase rax")                                                            \
  X(gs_branch,                                                                                               \
    "wrgsbase rdi; lea r8, [rip + 1f]; mov [rdi + 128], r8; jmp qword ptr gs:[128]; hlt; 1: xor eax, eax; "  \
    "wrgsbase rax")                                                                                          \
  X(gs_call_scaled,                                                                                          \
    "wrgsbase rdi; lea r8, [rip + 1f]; mov [rdi + 32], r8; mov ecx, 4; call qword ptr gs:[rcx * 8]; jmp "    \
    "2f; 1: ret; 2: xor eax, eax; wrgsbase rax")                                                             \
  X(rdfsbase_lock, ".byte 0xf0; rdfsbase rax")                                                               \
  X(idle_overrides,                                                                                          \
    ".byte 0x2e; mov rcx, [rdi]; .byte 0x36; mov rdx, [rdi]; .byte 0x3e; add rcx, [rdi]; .byte 0x26; add "   \
    "rdx, rcx")

PROBES(segments, SEGMENTS)

int main(void) {
  probe_setup();
  PROBE_ALL(transfers);
  PROBE_ALL(segments);
  return 0;
}
