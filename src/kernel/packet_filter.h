// Classic BPF as seccomp(2) uses it: programs of a few comparisons over one fixed structure. Checked when
// they are installed, run at each system call. A leaf: knows nothing of tasks.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace orrery::kernel {

/// struct sock_filter.
struct FilterInstruction {
  u16 code = 0;
  u8 if_true = 0, if_false = 0;  ///< how many instructions a conditional jump skips
  u32 constant = 0;
};
static_assert(sizeof(FilterInstruction) == 8);

/// struct seccomp_data.
struct FilterInput {
  i32 number = 0;
  u32 architecture = 0;
  u64 instruction = 0;
  u64 arguments[6] = {};
};
static_assert(sizeof(FilterInput) == 64);

inline constexpr u64 kFilterInstructionsMost = 4096;  // BPF_MAXINSNS

/// bpf_check_classic and seccomp_check_filter: no other instructions, jumps forward and inside, no reads of
/// what was not written, a return at the end.
bool is_valid_filter(std::span<const FilterInstruction> program);

/// The value that a valid program returns.
u32 run_filter(std::span<const FilterInstruction> program, const FilterInput& input);

}  // namespace orrery::kernel
