// The registers of one task, as the guest would see them. Vector and x87 state is not here: it stays
// in the host's registers while the engine runs (the engine is built without SSE) and is lifted with
// cpu/vector_state.h when a signal frame, a snapshot or a switch needs it.
#pragma once

#include "base/types.h"

namespace orrery::cpu {

/// Numbered as the instruction encoding numbers them (Intel SDM vol. 2, table 2-2).
enum class Gpr : u8 { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };
inline constexpr int kGprCount = 16;

/// Offsets are fixed: cpu/enter.S and emitted code address these fields.
struct Registers {
  u64 gpr[kGprCount] = {};
  u64 rip = 0;
  u64 rflags = 0x202;
  u64 fs_base = 0;
  u64 gs_base = 0;

  u64& operator[](Gpr reg) { return gpr[static_cast<int>(reg)]; }
  u64 operator[](Gpr reg) const { return gpr[static_cast<int>(reg)]; }
};
static_assert(sizeof(Registers) == 20 * 8);

/// One task's processor state between two runs.
struct CpuState {
  Registers regs;
  u64 ticks = 0;         ///< cycle-closing transfers done by this task since it began
  u64 instructions = 0;  ///< done by it while they were counted (translate/counts.h)
};

}  // namespace orrery::cpu
