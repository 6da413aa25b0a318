// How often each instruction was executed, from the counts of stretches.
#pragma once

#include <span>
#include <vector>

#include "elf/stopped_machine_hosted.h"
#include "translate/stretches.h"

namespace orrery::lens::profile {

struct InstructionCount {
  i64 executions = 0;
  i64 elements = 0;  ///< of a repeated string instruction, beyond its executions: see translate/stretches.h
  i64 branches = 0;  ///< executions, of a conditional jump
  i64 taken = 0;     ///< of these

  void add(const InstructionCount& other) {
    executions += other.executions;
    elements += other.elements;
    branches += other.branches;
    taken += other.taken;
  }
};

struct CountedInstruction {
  u64 pc = 0;
  InstructionCount count{};
};

/// By pc, each once; the code must still be mapped. What cannot be read is counted at the stretch's pc.
std::vector<CountedInstruction> instruction_counts(elf::StoppedMachine& machine,
                                                   std::span<const translate::StretchCount> counted);

}  // namespace orrery::lens::profile
