// intel: AMD's processors do some of this otherwise, and the machine is an Intel one
// Prefixes in every place, the 15-byte limit, lock where it is allowed and where not, address size 32,
// branches into the middle of instructions, and fetches that run off the page.
#include "probe.h"

#define PREFIXES(X)                                                                                         \
  X(many_66, ".byte 0x66,0x66,0x66,0x66,0x66,0x66; add eax, ecx")                                           \
  X(length_15, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66; add eax, ecx")      \
  X(length_16, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66; add eax, ecx") \
  X(only_prefixes, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66") \
  X(length_15_relative, ".byte 0x3e,0x3e,0x3e,0x3e; mov dword ptr [rip + 0x100000 - 14], 0x12345678")       \
  X(length_16_memory, ".byte 0x3e,0x3e,0x3e,0x3e,0x3e; mov qword ptr [rdi + 0x100], 0x12345678")            \
  X(length_16_gated, ".byte 0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e; cpuid")  \
  X(length_16_jump, ".byte 0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e; jmp 1f + 4096; 1: nop")  \
  X(rex_twice, ".byte 0x48, 0x41; add eax, ecx")                                                            \
  X(rex_then_66, ".byte 0x48, 0x66; add eax, ecx")                                                          \
  X(rex_then_segment, ".byte 0x48, 0x2e; mov ecx, [rdi]")                                                   \
  X(rex_w_and_66, ".byte 0x66; add rax, rcx")                                                               \
  X(repeat_add, ".byte 0xf3; add eax, ecx; .byte 0xf2; add eax, ecx")                                       \
  X(repeat_both_stos, ".byte 0xf2, 0xf3; stosb")                                                            \
  X(repne_movs, ".byte 0xf2; movsb")                                                                        \
  X(repeat_return, "call 1f; jmp 2f; 1: .byte 0xf3, 0xc3; 2: nop")                                          \
  X(repeat_nop_is_pause, ".byte 0xf3, 0x90; .byte 0xf2, 0x90; .byte 0x66, 0x90; .byte 0x48, 0x90")          \
  X(exchange_r8, ".byte 0x49, 0x90")                                                                        \
  X(branch_66, ".byte 0x66; jmp 1f; hlt; 1: nop")                                                           \
  X(branch_hint, "cmp eax, ecx; .byte 0x2e; jne 1f; hlt; 1: .byte 0x3e; je 2f; 2: nop")                     \
  X(loop_67, "mov rcx, 0x100000002; 1: .byte 0x67; loop 1b")                                                \
  X(jump_if_ecx_zero, "mov rcx, 0x100000000; jecxz 1f; hlt; 1: nop")                                        \
  X(jump_if_rcx_not_zero, "mov rcx, 0x100000000; jrcxz 1f; inc eax; 1: nop")                                \
  X(loop_not_equal, "mov ecx, 5; 1: cmp ecx, 3; loopne 1b")                                                 \
  X(loop_equal, "mov ecx, 5; 1: cmp ecx, 5; loope 1b")                                                      \
  X(address_32, "mov r8, 0x1122334420100000; .byte 0x67; mov rcx, [r8]")                                    \
  X(address_32_wraps, "mov r8d, 0xfffffff0; .byte 0x67; mov rcx, [r8 + 0x20100010]")                        \
  X(address_32_negative, "mov r8d, 0x20100100; .byte 0x67; mov rcx, [r8 - 0x100]")                          \
  X(address_32_scaled, "mov r8d, 0x90080040; .byte 0x67; mov rcx, [r8 * 2]")                                \
  X(address_32_relative, ".byte 0x67; mov rcx, [rip + 0x100000 - 8]")                                       \
  X(address_32_lea, "mov r8, -1; .byte 0x67; lea rcx, [r8 + 2]; lea edx, [r8 + 1]")                         \
  X(address_32_fault, "mov r8d, 0x1000; .byte 0x67; mov rcx, [r8]")                                         \
  X(address_32_strings,                                                                                     \
    "mov r8, 0x5500000000; or rdi, r8; or rsi, r8; mov rcx, 0x100000002; .byte 0x67; rep movsb")            \
  X(address_32_offset, ".byte 0x67, 0xa1, 0x00, 0x00, 0x10, 0x20")                                          \
  X(address_64_offset, "movabs al, [0x20100001]; movabs [0x20100003], rax")                                 \
  X(address_32_jump,                                                                                        \
    "lea r8, [rip + 1f]; mov [rdi], r8; mov r9, 0x7700000000; or r9, rdi; .byte 0x67; jmp [r9]; hlt; 1: "   \
    "nop")                                                                                                  \
  X(address_32_push, "mov r9, 0x7700000000; or r9, rdi; .byte 0x67; push qword ptr [r9]; pop r8")           \
  X(push_16, ".byte 0x66, 0x68, 0x34, 0x12; push ax; pop cx; pop dx")                                       \
  X(push_segment_16, ".byte 0x66; push fs; pop cx")                                                         \
  X(vex_after_66, ".byte 0x66, 0xc5, 0xf8, 0x77")                                                           \
  X(vex_after_rex, ".byte 0x48, 0xc5, 0xf8, 0x77")                                                          \
  X(vex_after_lock, ".byte 0xf0, 0xc5, 0xf8, 0x77")                                                         \
  X(vex_after_repeat, ".byte 0xf3, 0xc5, 0xf8, 0x77")                                                       \
  X(three_dnow, ".byte 0x0f, 0x0f, 0xc0, 0xb4")                                                             \
  X(xop, ".byte 0x8f, 0xe8, 0x78, 0xc2, 0xc0, 0")                                                           \
  X(pop_other_reg, ".byte 0x8f, 0xc8")                                                                      \
  X(nop_long, ".byte 0x66,0x66,0x2e,0x0f,0x1f,0x84,0,0,2,0,0")                                              \
  X(nop_memory_unmapped, ".byte 0x0f, 0x1f, 0x04, 0x25, 0, 0x10, 0, 0")                                     \
  X(prefetch_unmapped, "prefetchnta [0x1000]; prefetcht0 [0x1000]; prefetchw [0x1000]")                     \
  X(hints,                                                                                                  \
    "endbr64; .byte 0xf3,0x0f,0x1e,0xfb; .byte 0xf3,0x48,0x0f,0x1e,0xc8; .byte 0x0f,0x18,0x20; .byte "      \
    "0x0f,0x1c,0x07; .byte 0x0f,0x1d,0x07")                                                                 \
  X(clflush_line, "clflush [rdi]; clflushopt [rdi]; mfence; lfence; sfence")                                \
  X(clflush_unmapped, "clflush [0x1000]")                                                                   \
  X(test_f6_1, ".byte 0xf6, 0xc8, 1; .byte 0xf7, 0xc9, 1, 0, 0, 0")                                         \
  X(shift_d0_6, "mov eax, 0x81; .byte 0xc0, 0xf0, 1")                                                       \
  X(xlat_67, "lea rbx, [rdi]; mov r8, 0x7700000000; or rbx, r8; mov al, 5; .byte 0x67; xlatb")              \
  X(xlat_wide, "lea rbx, [rdi]; mov al, 255; xlatb")                                                        \
  X(enter_0, "enter 32, 0; leave")                                                                          \
  X(enter_1, "enter 32, 1; mov r8, [rbp - 8]; leave")                                                       \
  X(enter_5, "enter 32, 5")                                                                                 \
  X(enter_16, ".byte 0x66, 0xc8, 32, 0, 0; mov r8, rsp")                                                    \
  X(enter_no_stack, "mov esp, 0x1004; enter 32, 0")                                                         \
  X(leave_no_stack, "mov ebp, 0x1000; leave")                                                               \
  X(exchange_and_add, "lock xadd [rdi], eax; xchg [rdi + 8], rcx")                                          \
  X(compare_exchange_16,                                                                                    \
    "mov rax, [rdi]; mov rdx, [rdi + 8]; mov rbx, 5; lock cmpxchg16b [rdi]; cmpxchg16b [rdi]")              \
  X(compare_exchange_16_odd, "lock cmpxchg16b [rdi + 8]")                                                   \
  X(compare_exchange_16_near, "lea r9, [rip + 0x100000 - 7]; lock cmpxchg16b [rip + 0x100000 - 16]")        \
  X(compare_exchange_8, "mov rax, [rdi]; mov rdx, rax; shr rdx, 32; lock cmpxchg8b [rdi + 1]")              \
  X(cmpxchg_register, "cmpxchg ecx, edx; cmpxchg rax, rcx")                                                 \
  X(bit_test_far, "mov ecx, 8 * 4096 * 2 - 1; bt [rdi], ecx; mov rcx, -1; bts [rdi + 8], rcx")              \
  X(bit_test_fault, "mov ecx, 8 * 4096 * 2; lock bts [rdi], ecx")                                           \
  X(swap_and_move_big, "movbe ecx, [rdi]; bswap rdx; movbe [rdi], dx")                                      \
  X(flags_to_ah, "stc; lahf; mov ah, 0xff; sahf")                                                           \
  X(carry_flag_chain, "stc; adc eax, ecx; sbb rdx, rcx; rcl r8, 1; rcr r9d, 1; cmc")                        \
  X(cmps_differs, "mov ecx, 8; repe cmpsb")                                                                 \
  X(scas_none, "mov al, 0xee; mov ecx, 6; repne scasb")                                                     \
  X(lods_words, "lodsw; lodsd; lodsq; std; lodsb; cld")

PROBES(prefixes, PREFIXES)

#define LOCKS(X)                                          \
  X(lock_add, "lock add [rdi], eax")                      \
  X(lock_add_register, ".byte 0xf0, 0x01, 0xc8")          \
  X(lock_add_load, ".byte 0xf0, 0x03, 0x07")              \
  X(lock_mov, ".byte 0xf0, 0x89, 0x07")                   \
  X(lock_cmp, ".byte 0xf0, 0x39, 0x07")                   \
  X(lock_test, ".byte 0xf0, 0x85, 0x07")                  \
  X(lock_nop, ".byte 0xf0, 0x90")                         \
  X(lock_not, "lock not dword ptr [rdi]")                 \
  X(lock_neg, "lock neg qword ptr [rdi + 1]")             \
  X(lock_inc_byte, "lock inc byte ptr [rdi]")             \
  X(lock_xchg, "lock xchg [rdi], al")                     \
  X(lock_bt, ".byte 0xf0, 0x0f, 0xa3, 0x07")              \
  X(lock_btc, "lock btc [rdi], eax")                      \
  X(lock_bts_immediate, "lock bts dword ptr [rdi], 5")    \
  X(lock_bt_immediate, ".byte 0xf0, 0x0f, 0xba, 0x27, 5") \
  X(lock_shl, ".byte 0xf0, 0xd1, 0x27")                   \
  X(lock_imul, ".byte 0xf0, 0x0f, 0xaf, 0x07")            \
  X(lock_movs, ".byte 0xf0, 0xa4")                        \
  X(lock_jump, ".byte 0xf0, 0xeb, 0")                     \
  X(lock_call, ".byte 0xf0, 0xe8, 0, 0, 0, 0")            \
  X(lock_push, ".byte 0xf0, 0x50")                        \
  X(lock_syscall, ".byte 0xf0, 0x0f, 0x05")               \
  X(lock_cpuid, ".byte 0xf0, 0x0f, 0xa2")                 \
  X(lock_popf, ".byte 0xf0, 0x9d")                        \
  X(lock_int3, ".byte 0xf0, 0xcc")                        \
  X(lock_hlt, ".byte 0xf0, 0xf4")                         \
  X(lock_in, ".byte 0xf0, 0xec")                          \
  X(lock_int_80, ".byte 0xf0, 0xcd, 0x80")                \
  X(lock_movaps, ".byte 0xf0, 0x0f, 0x28, 0x07")          \
  X(lock_fld, ".byte 0xf0, 0xd9, 0x07")                   \
  X(lock_across_pages, "lock add [rsi - 2], eax")         \
  X(lock_fault, "lock add dword ptr [0x1000], 1")         \
  X(lock_read_only, "mov eax, 0x20200000; lock add dword ptr [rax], 1")

PROBES(locks, LOCKS)

#define ENDS(X)                                                             \
  X(end_in_instruction, "mov rax, 0x1122334455667788")                      \
  X(end_in_displacement, "mov eax, [rdi + 0x11223344]")                     \
  X(end_in_jump, "jmp 1f + 1000; 1: nop")                                   \
  X(end_in_conditional, "jne 1f + 1000; 1: nop")                            \
  X(end_in_gate, "cpuid")                                                   \
  X(end_in_syscall, "syscall")                                              \
  X(end_in_prefixes, ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66; nop") \
  X(end_in_vector, "vpaddd ymm0, ymm1, [rdi + 0x11223344]")                 \
  X(end_in_string, "rep stosq")                                             \
  X(end_in_call, "call 1f + 1000; 1: nop")

PROBES(ends, ENDS)

/// Each instruction cut by the end of the code pages after each of its bytes.
static void run_cut(const struct probe* probe) {
  begin_case(probe->name);
  for (long kept = 0; kept < probe->end - probe->begin; ++kept) {
    probe_reset();
    const uintptr_t end = PROBE_CODE + 2 * PROBE_PAGE;
    probe_place_code(end - kept, probe->begin, probe->begin + kept);
    probe_end_pc = 0;
    probe_go();
  }
}

/// The same cut by a page that may not be executed.
static void run_cut_no_execute(const struct probe* probe) {
  char name[96];
  snprintf(name, sizeof name, "%s_not_executable", probe->name);
  begin_case(name);
  CHECK_EQ(mprotect((void*)(PROBE_CODE + PROBE_PAGE), PROBE_PAGE, PROT_READ | PROT_WRITE), 0);
  for (long kept = 0; kept < probe->end - probe->begin; ++kept) {
    probe_reset();
    probe_place_code(PROBE_CODE + PROBE_PAGE - kept, probe->begin, probe->end);
    probe_end_pc = 0;
    probe_go();
  }
  CHECK_EQ(mprotect((void*)(PROBE_CODE + PROBE_PAGE), PROBE_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
}

/// Instructions that lie on both pages run.
static void run_across(const struct probe* probe) {
  char name[96];
  snprintf(name, sizeof name, "%s_across", probe->name);
  begin_case(name);
  for (long kept = 1; kept < probe->end - probe->begin; ++kept) {
    probe_reset();
    probe_registers[REG_RDI] = PROBE_DATA - 0x11223344;
    probe_place_code(PROBE_CODE + PROBE_PAGE - kept, probe->begin, probe->end);
    probe_registers[REG_RIP] = PROBE_CODE + PROBE_PAGE - kept;
    probe_go();
  }
}

/// A branch into the middle of an instruction finds another one.
static void middle_of_instruction(void) {
  static const uint8_t code[] = {0xb8, 0xb9, 0x05, 0x00, 0x00, 0x00, 0x90, 0x90};
  for (long at = 0; at < 2; ++at) {
    probe_reset();
    probe_place_code(PROBE_CODE, code, code + sizeof code);
    probe_registers[REG_RIP] = PROBE_CODE + at;
    probe_go();
  }
}

int main(void) {
  probe_setup();
  PROBE_ALL(prefixes);
  PROBE_ALL(locks);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i) {
    run_cut(&ends[i]);
    run_cut_no_execute(&ends[i]);
  }
  run_across(&ends[0]);
  run_across(&ends[1]);
  RUN(middle_of_instruction);
  return 0;
}
