// What a task's processor holds at an instant, and what it is about to do: values without any tie to the
// machine they came from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/symbolizer_hosted.h"
#include "lens/replay_session.h"
#include "x86/disassemble_hosted.h"

namespace orrery::lens {

struct CpuOperand {
  x86::ShownOperand operand{};
  std::string name{};       ///< of the address or value: "main+12"
  std::vector<u8> bytes{};  ///< what is in memory there, or in a vector register, before the instruction
};

struct CpuInstruction {
  u64 address = 0;
  std::vector<u8> bytes{};
  std::string text{};
  std::string function{};  ///< that it is in; "" if unknown
  u64 offset = 0;
  elf::SourceLine source{};
};

struct VectorRegisters {
  u32 mxcsr = 0;
  u16 x87_control = 0, x87_status = 0, x87_tags = 0;
  std::vector<std::vector<u8>> x87{};      ///< st(0) to st(7), ten bytes each
  std::vector<std::vector<u8>> vectors{};  ///< 16, 32 or 64 bytes each; 16 or 32 of them
  std::vector<u64> masks{};                ///< k0 to k7, with AVX-512
  std::optional<u32> pkru{};
};

struct CpuContext {
  machine::ControlTask task{};
  std::vector<CpuInstruction> around{};
  u64 current = 0;  ///< index of the one at pc
  std::vector<CpuOperand> operands{};
  std::optional<bool> taken{};
  VectorRegisters vectors{};
};

struct Neighbours {
  u64 before = 6, after = 8;
};

/// `task` is one of the session's, and lives.
CpuContext read_cpu(ReplaySession& session, const machine::ControlTask& task, Neighbours neighbours);

}  // namespace orrery::lens
