// Instructions that fault after they have done a part: repeated strings show how far they came, the rest
// shows nothing. Accesses that cross into a page that is not there, and addresses that are none.
#include "probe.h"

#define PARTS(X)                                                                             \
  X(store_up, "lea rdi, [rdi + 8192 - 5]; mov ecx, 20; rep stosb")                           \
  X(store_up_wide, "lea rdi, [rdi + 8192 - 32]; mov ecx, 20; rep stosq")                     \
  X(store_up_odd, "lea rdi, [rdi + 8192 - 30]; mov ecx, 20; rep stosq")                      \
  X(store_many, "lea rdi, [rdi + 8192 - 2000]; mov ecx, 5000; rep stosb")                    \
  X(store_down, "std; lea rdi, [rdi + 3]; mov ecx, 20; rep stosb")                           \
  X(store_down_wide, "std; lea rdi, [rdi + 24]; mov ecx, 20; rep stosq")                     \
  X(store_read_only, "mov edi, 0x20200000; mov ecx, 4; rep stosd")                           \
  X(move_source_ends, "lea rsi, [rdi + 8192 - 7]; mov ecx, 20; rep movsb")                   \
  X(move_target_ends, "mov rsi, rdi; lea rdi, [rdi + 8192 - 6]; mov ecx, 20; rep movsb")     \
  X(move_wide_ends, "mov rsi, rdi; lea rdi, [rdi + 8192 - 36]; mov ecx, 20; rep movsq")      \
  X(move_overlaps, "lea rdi, [rsi + 1]; mov ecx, 20; rep movsb; mov r8, [rsi - 8]")          \
  X(move_down, "std; lea rsi, [rdi + 200]; lea rdi, [rdi + 3]; mov ecx, 20; rep movsb")      \
  X(move_many, "lea rsi, [rdi + 100]; mov ecx, 9000; rep movsb")                             \
  X(load_ends, "lea rsi, [rdi + 8192 - 9]; mov ecx, 20; rep lodsw")                          \
  X(scan_ends, "lea rdi, [rdi + 8192 - 9]; mov al, 0xee; mov ecx, 20; repne scasb")          \
  X(scan_ends_wide, "lea rdi, [rdi + 8192 - 20]; mov ecx, 20; repne scasq")                  \
  X(compare_ends, "lea rsi, [rdi + 8192 - 9]; mov rdi, rsi; mov ecx, 20; repe cmpsb")        \
  X(compare_other_ends, "mov rsi, rdi; lea rdi, [rdi + 8192 - 9]; mov ecx, 20; repne cmpsd") \
  X(count_zero_unmapped, "mov edi, 0x1000; xor ecx, ecx; rep stosb; rep movsb; repe cmpsb")  \
  X(single_move_source, "mov esi, 0x1000; movsb")                                            \
  X(single_move_both, "mov esi, 0x1000; mov edi, 0x2000; movsq")                             \
  X(single_compare_both, "mov esi, 0x1000; mov edi, 0x2000; cmpsb")                          \
  X(not_canonical_store, "mov rdi, 0x800000000000; stosb")                                   \
  X(not_canonical_run, "mov rdi, 0x7fffffffffff; mov ecx, 3; rep stosb")                     \
  X(kernel_half_load, "mov rax, 0xffffffff81000000; mov rax, [rax]")                         \
  X(kernel_half_store, "mov rax, 0xffff800000000000; mov [rax], rax")                        \
  X(not_canonical_load, "mov rax, 0x8000000000000000; mov rax, [rax]")                       \
  X(not_canonical_by_stack, "mov rbp, 0x8000000000000000; mov rax, [rbp]")                   \
  X(not_canonical_by_sp, "mov rsp, 0x8000000000000000; mov rax, [rsp + 8]")                  \
  X(not_canonical_push, "mov rsp, 0x8000000000000000; push rax")                             \
  X(not_canonical_pop, "mov rsp, 0x8000000000000000; pop rax")                               \
  X(not_canonical_call, "mov rsp, 0x8000000000000000; call 1f; 1: nop")                      \
  X(not_canonical_return, "mov rsp, 0x8000000000000000; ret")                                \
  X(not_canonical_target, "mov rax, 0x8000000000000000; jmp rax")                            \
  X(not_canonical_call_target, "mov rax, 0x8000000000000000; call rax")                      \
  X(not_canonical_return_target, "mov rax, 0x8000000000000000; push rax; ret 16")            \
  X(load_across, "mov rax, [rdi + 8192 - 3]")                                                \
  X(store_across, "mov [rdi + 8192 - 3], rax")                                               \
  X(store_across_keeps, "mov dword ptr [rdi + 8192 - 2], 0x55555555")                        \
  X(add_across, "add [rdi + 8192 - 3], rax")                                                 \
  X(exchange_across, "xchg [rdi + 8192 - 3], rax")                                           \
  X(compare_exchange_across, "lock cmpxchg [rdi + 8192 - 3], rcx")                           \
  X(compare_exchange_16_fault, "lock cmpxchg16b [0x1000]")                                   \
  X(compare_exchange_16_read_only, "mov r8d, 0x20200000; lock cmpxchg16b [r8]")              \
  X(push_no_stack, "mov esp, 0x1008; push rax")                                              \
  X(push_memory_fault, "push qword ptr [0x1000]")                                            \
  X(pop_memory_fault, "pop qword ptr [0x1000]")                                              \
  X(pop_memory_by_sp, "push rax; pop qword ptr [rsp + 8]; mov r8, [rsp + 8]")                \
  X(pop_into_sp, "push rdi; pop rsp")                                                        \
  X(push_sp, "push rsp; pop r8")                                                             \
  X(call_no_stack, "mov esp, 0x1000; call 1f; 1: nop")                                       \
  X(call_memory_fault, "call qword ptr [0x1000]")                                            \
  X(call_memory_no_stack,                                                                    \
    "lea r8, [rip + 1f]; mov [rdi], r8; mov esp, 0x1000; call qword ptr [rdi]; 1: nop")      \
  X(jump_memory_fault, "jmp qword ptr [0x1000]")                                             \
  X(return_no_stack, "mov esp, 0x1000; ret")                                                 \
  X(return_to_nothing, "push 0x1000; ret")                                                   \
  X(jump_to_data, "jmp rdi")                                                                 \
  X(jump_to_kernel_half, "mov rax, 0xffffffff81000000; jmp rax")                             \
  X(call_to_nothing, "mov eax, 0x1000; call rax")                                            \
  X(leave_fault, "mov ebp, 0x1000; leave")                                                   \
  X(enter_fault, "mov esp, 0x1000; enter 0, 0")                                              \
  X(enter_nested_fault, "mov ebp, 0x1000; enter 8, 2")                                       \
  X(translate_fault, "mov ebx, 0x1000; xlatb")                                               \
  X(bit_test_fault, "mov rcx, 0x100000; bts [rdi], rcx")                                     \
  X(increment_read_only, "mov eax, 0x20200000; inc dword ptr [rax]")                         \
  X(exchange_add_read_only, "mov eax, 0x20200000; lock xadd [rax], ecx")                     \
  X(compare_read_only, "mov eax, 0x20200000; cmp dword ptr [rax], 1")                        \
  X(compare_exchange_read_only, "mov r8d, 0x20200000; cmpxchg [r8], ecx")                    \
  X(move_16_across, "lea rsi, [rdi + 8192 - 8]; movdqu xmm0, [rsi]")                         \
  X(return_drop, "push rax; lea r8, [rip + 1f]; push r8; ret 8; hlt; 1: nop")                \
  X(divide_keeps, "mov eax, 10; cdq; mov dword ptr [rdi], 0; div dword ptr [rdi]")           \
  X(far_from_code, "mov r8, 0x7fff12345678; mov rcx, [r8]")

PROBES(parts, PARTS)

/// What the stores before the fault left in the last bytes that are there.
static void look(int number, siginfo_t* info, ucontext_t* uc) {
  uint32_t sum = 0;
  for (int i = 0; i < 2 * PROBE_PAGE; ++i) sum = sum * 31 + ((volatile uint8_t*)PROBE_DATA)[i];
  char line[64];
  snprintf(line, sizeof line, "  memory %08x\n", sum);
  probe_print(line);
}

int main(void) {
  probe_setup();
  probe_on_stop = look;
  PROBE_ALL(parts);
  return 0;
}
