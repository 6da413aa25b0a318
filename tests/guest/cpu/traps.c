// intel: AMD's processors do some of this otherwise, and the machine is an Intel one
// Instructions that only raise an exception, or that a program may not execute: the signal, its code and
// address, and what the frame shows of the processor.
#include "probe.h"

#define TRAPS(X)                                                              \
  X(ud2, "ud2")                                                               \
  X(ud1, ".byte 0x0f, 0xb9, 0xc1")                                            \
  X(ud1_memory, ".byte 0x0f, 0xb9, 0x07")                                     \
  X(ud0, ".byte 0x0f, 0xff, 0xc1")                                            \
  X(breakpoint, "int3")                                                       \
  X(breakpoint_long, ".byte 0xcd, 3")                                         \
  X(icebp, ".byte 0xf1")                                                      \
  X(overflow, "int 4")                                                        \
  X(int_0, "int 0")                                                           \
  X(int_1, "int 1")                                                           \
  X(int_5, "int 5")                                                           \
  X(int_14, "int 14")                                                         \
  X(int_0x20, "int 0x20")                                                     \
  X(int_0x81, "int 0x81")                                                     \
  X(int_0xff, "int 0xff")                                                     \
  X(halt, "hlt")                                                              \
  X(cli, "cli")                                                               \
  X(sti, "sti")                                                               \
  X(in_byte, "in al, 0x80")                                                   \
  X(in_dx, "in eax, dx")                                                      \
  X(out_byte, "out 0x80, al")                                                 \
  X(out_dx, "out dx, eax")                                                    \
  X(insb, "insb")                                                             \
  X(insd, "insd")                                                             \
  X(rep_insb, "rep insb")                                                     \
  X(outsb, "outsb")                                                           \
  X(rep_outsd, "rep outsd")                                                   \
  X(clts, "clts")                                                             \
  X(invd, "invd")                                                             \
  X(wbinvd, "wbinvd")                                                         \
  X(invlpg, "invlpg [rdi]")                                                   \
  X(lgdt, "lgdt [rdi]")                                                       \
  X(lidt, "lidt [rdi]")                                                       \
  X(lldt, "lldt ax")                                                          \
  X(ltr, "ltr ax")                                                            \
  X(lmsw, "lmsw ax")                                                          \
  X(rdmsr, "rdmsr")                                                           \
  X(wrmsr, "wrmsr")                                                           \
  X(rdpmc, "rdpmc")                                                           \
  X(mov_from_cr0, "mov rax, cr0")                                             \
  X(mov_to_cr4, "mov cr4, rax")                                               \
  X(mov_from_cr1, ".byte 0x0f, 0x20, 0xc8")                                   \
  X(mov_from_cr8, "mov rax, cr8")                                             \
  X(mov_from_dr7, "mov rax, dr7")                                             \
  X(mov_to_dr0, "mov dr0, rax")                                               \
  X(swapgs, "swapgs")                                                         \
  X(sysret, "sysretq")                                                        \
  X(sysexit, "sysexitq")                                                      \
  X(xsetbv, "xor ecx, ecx; xsetbv")                                           \
  X(stac, "stac")                                                             \
  X(clac, "clac")                                                             \
  X(monitor, "monitor")                                                       \
  X(mwait, "mwait")                                                           \
  X(monitorx, ".byte 0x0f, 0x01, 0xfa")                                       \
  X(vmlaunch, "vmlaunch")                                                     \
  X(vmrun, ".byte 0x0f, 0x01, 0xd8")                                          \
  X(rsm, "rsm")                                                               \
  X(getsec, ".byte 0x0f, 0x37")                                               \
  X(invpcid, "invpcid rax, [rdi]")                                            \
  X(skinit, ".byte 0x0f, 0x01, 0xde")                                         \
  X(into, ".byte 0xce")                                                       \
  X(bound, ".byte 0x62, 0x07")                                                \
  X(aaa, ".byte 0x37")                                                        \
  X(aas, ".byte 0x3f")                                                        \
  X(daa, ".byte 0x27")                                                        \
  X(das, ".byte 0x2f")                                                        \
  X(aam, ".byte 0xd4, 10")                                                    \
  X(aad, ".byte 0xd5, 10")                                                    \
  X(pusha, ".byte 0x60")                                                      \
  X(popa, ".byte 0x61")                                                       \
  X(push_cs, ".byte 0x0e")                                                    \
  X(push_ss, ".byte 0x16")                                                    \
  X(pop_ss, ".byte 0x17")                                                     \
  X(push_ds, ".byte 0x1e")                                                    \
  X(pop_es, ".byte 0x07")                                                     \
  X(salc, ".byte 0xd6")                                                       \
  X(call_far_immediate, ".byte 0x9a, 0, 0, 0, 0, 0x33, 0")                    \
  X(jump_far_immediate, ".byte 0xea, 0, 0, 0, 0, 0x33, 0")                    \
  X(les, ".byte 0xc4, 0x07")                                                  \
  X(lds, ".byte 0xc5, 0x07")                                                  \
  X(opcode_82, ".byte 0x82, 0xc0, 1")                                         \
  X(group_fe_2, ".byte 0xfe, 0xd0")                                           \
  X(group_ff_7, ".byte 0xff, 0xf8")                                           \
  X(group_c6_1, ".byte 0xc6, 0xc8, 1")                                        \
  X(opcode_0f_04, ".byte 0x0f, 0x04")                                         \
  X(opcode_0f_0a, ".byte 0x0f, 0x0a")                                         \
  X(opcode_0f_24, ".byte 0x0f, 0x24, 0xc0")                                   \
  X(opcode_0f_a6, ".byte 0x0f, 0xa6, 0xc0")                                   \
  X(divide_by_zero, "xor ecx, ecx; div ecx")                                  \
  X(divide_overflow, "mov ecx, 1; div ecx")                                   \
  X(idiv_by_zero, "xor ecx, ecx; idiv rcx")                                   \
  X(idiv_overflow, "mov rax, 0x8000000000000000; cqo; mov rcx, -1; idiv rcx") \
  X(divide_byte, "mov ax, 0x7fff; mov cl, 2; div cl")                         \
  X(divide_memory, "mov dword ptr [rdi], 0; div dword ptr [rdi]")

PROBES(traps, TRAPS)

#define TABLES(X)                                                                   \
  X(lar_null, "xor eax, eax; lar ecx, eax")                                         \
  X(lar_code, "mov eax, 0x33; lar ecx, eax")                                        \
  X(lar_data, "mov eax, 0x2b; .byte 0x48; lar ecx, eax")                            \
  X(lar_code_16, "mov eax, 0x33; lar cx, ax")                                       \
  X(lar_kernel_code, "mov eax, 0x10; lar ecx, eax")                                 \
  X(lar_compatibility, "mov eax, 0x23; lar ecx, eax")                               \
  X(lar_tss, "mov eax, 0x40; lar ecx, eax")                                         \
  X(lar_ldt, "mov eax, 0x48; lar ecx, eax")                                         \
  X(lar_tls, "mov eax, 0x63; lar ecx, eax")                                         \
  X(lar_beyond, "mov eax, 0xfff3; lar ecx, eax")                                    \
  X(lar_local, "mov eax, 7; lar ecx, eax")                                          \
  X(lar_memory, "mov word ptr [rdi], 0x33; lar ecx, word ptr [rdi]")                \
  X(lar_fault, "lar ecx, word ptr [0x1000]")                                        \
  X(lsl_null, "xor eax, eax; lsl ecx, eax")                                         \
  X(lsl_code, "mov eax, 0x33; .byte 0x48; lsl ecx, eax")                            \
  X(lsl_code_16, "mov eax, 0x33; lsl cx, ax")                                       \
  X(lsl_data, "mov eax, 0x2b; lsl ecx, eax")                                        \
  X(lsl_kernel_data, "mov eax, 0x18; lsl ecx, eax")                                 \
  X(lsl_memory, "mov word ptr [rdi], 0x2b; lsl ecx, word ptr [rdi]")                \
  X(lsl_fault, "lsl ecx, word ptr [0x1000]")                                        \
  X(lar_processor, "mov eax, 0x7b; lar ecx, eax")                                   \
  X(lsl_processor_valid, "mov eax, 0x7b; lsl ecx, eax; mov ecx, 0")                 \
  X(verr_null, "xor eax, eax; verr ax")                                             \
  X(verr_code, "mov eax, 0x33; verr ax")                                            \
  X(verr_data, "mov eax, 0x2b; verr ax")                                            \
  X(verr_kernel, "mov eax, 0x10; verr ax")                                          \
  X(verr_processor, "mov eax, 0x7b; verr ax")                                       \
  X(verw_null, "xor eax, eax; verw ax")                                             \
  X(verw_code, "mov eax, 0x33; verw ax")                                            \
  X(verw_data, "mov eax, 0x2b; verw ax")                                            \
  X(verw_kernel, "mov eax, 0x18; verw ax")                                          \
  X(verw_memory, "mov word ptr [rdi], 0x2b; verw word ptr [rdi]")                   \
  X(verw_read_only, "mov eax, 0x20200000; verw word ptr [rax]")                     \
  X(verr_fault, "verr word ptr [0x1000]")                                           \
  X(sgdt, "sgdt [rdi]; mov rcx, [rdi]; mov rdx, [rdi+8]")                           \
  X(sgdt_prefixed, ".byte 0x66; sgdt [rdi]; mov rcx, [rdi]; mov rdx, [rdi+8]")      \
  X(sidt, "sidt [rdi]; mov rcx, [rdi]; mov rdx, [rdi+8]")                           \
  X(sldt_32, "sldt ecx")                                                            \
  X(sldt_64, "sldt rcx")                                                            \
  X(sldt_16, "sldt cx")                                                             \
  X(sldt_memory, "sldt word ptr [rdi]; mov rcx, [rdi]")                             \
  X(str_32, "str ecx")                                                              \
  X(str_64, "str rcx")                                                              \
  X(str_memory, "str word ptr [rdi]; mov rcx, [rdi]")                               \
  X(smsw_keeps, "smsw eax")                                                         \
  X(smsw_keeps_16, "smsw ax")                                                       \
  X(str_keeps, "str eax; str dx")                                                   \
  X(lar_extends, "mov rcx, rax; mov eax, 0x33; lar rcx, rax")                       \
  X(verr_not_canonical, "mov rax, 0x8000000000000000; verr word ptr [rax]")         \
  X(verr_stack_not_canonical, "mov rbp, 0x8000000000000000; verr word ptr [rbp]")   \
  X(sgdt_not_canonical, "mov rax, 0x8000000000000000; sgdt [rax]")                  \
  X(smsw_32, "smsw ecx")                                                            \
  X(smsw_64, "smsw rcx")                                                            \
  X(smsw_16, "smsw cx")                                                             \
  X(smsw_memory, "smsw word ptr [rdi]; mov rcx, [rdi]")                             \
  X(smsw_scaled, "mov ecx, 2; smsw word ptr [rdi + rcx*8 - 6]; mov rcx, [rdi + 8]") \
  X(smsw_relative, "smsw word ptr [rip + 0x100000 - 7]; mov rcx, [rdi]")            \
  X(sgdt_high, "lea r9, [rdi-1]; sgdt [r9 + 1]; mov rcx, [rdi]")                    \
  X(sgdt_fault, "sgdt [0x1000]")                                                    \
  X(sidt_read_only, "mov eax, 0x20200000; sidt [rax]")                              \
  X(smsw_fault, "smsw word ptr [0x1000]")                                           \
  X(sgdt_across, "lea r9, [rdi + 8192 - 4]; sgdt [r9]")                             \
  X(sgdt_lock, ".byte 0xf0; sgdt [rdi]")                                            \
  X(sldt_lock, ".byte 0xf0; sldt ecx")

PROBES(tables, TABLES)

int main(void) {
  probe_setup();
  PROBE_ALL(traps);
  PROBE_ALL(tables);
  return 0;
}
