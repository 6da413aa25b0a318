// The call stack of a stopped machine. Callers are found by the CFI of .eh_frame or .debug_frame; where
// there is none (a jump to nowhere, hand-written or generated code) by the return address on the
// stack, the frame pointer, or a scan of the stack, and the frame says which.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/types.h"
#include "elf/images_hosted.h"
#include "elf/stopped_machine_hosted.h"

namespace orrery::elf {

/// DWARF's numbers of the x86-64 registers (System V ABI, figure 3.36): 0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi,
/// 5 rdi, 6 rbp, 7 rsp, 8 to 15 r8 to r15, 16 the return address.
inline constexpr int kDwarfRegisters = 17;
inline constexpr int kDwarfRbp = 6;
inline constexpr int kDwarfRsp = 7;
inline constexpr int kDwarfPc = 16;
/// A frame's registers; those that a callee did not keep are not known.
using FrameRegisters = std::array<std::optional<u64>, kDwarfRegisters>;

FrameRegisters to_dwarf(const MachineRegisters& registers);

/// How a frame was found from the one it called.
enum class FoundBy : u8 {
  registers,  ///< the innermost frame
  cfi,
  return_address,  ///< the word on top of the stack: the callee was a jump to nowhere
  frame_pointer,
  scan,  ///< a word on the stack that stands behind a call: a guess
};

struct Frame {
  u64 pc = 0;
  std::optional<u64> cfa;  ///< the stack pointer before the call; known where there is CFI
  FrameRegisters registers;
  /// Where this frame has put the registers that its caller goes on with; 0: it has not.
  std::array<u64, kDwarfRegisters> saved_at{};
  FoundBy found_by = FoundBy::registers;
  bool pc_is_exact = false;   ///< innermost or interrupted by a signal; else pc is a return address
  bool signal_frame = false;  ///< the kernel's frame under a signal handler
  /// An address inside the instruction that runs: what to look up.
  u64 lookup_pc() const { return pc_is_exact || pc == 0 ? pc : pc - 1; }
};

struct Stack {
  std::vector<Frame> frames;  ///< innermost first
  bool complete = false;      ///< ends where the thread began
};

inline constexpr int kFramesMost = 400'000;

/// Of the task whose registers the machine tells.
Stack unwind(StoppedMachine& machine, const Images& images, int frames_most = kFramesMost);

}  // namespace orrery::elf
