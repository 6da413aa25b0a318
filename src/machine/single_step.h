// What the trap flag means for one instruction, where it means something of its own (SDM vol. 3, 17.3.1.4).
#pragma once

#include "cpu/registers.h"
#include "memory/address_space.h"

namespace orrery::machine {

/// One instruction about to be executed alone, for a program that has set the trap flag. A repeated string
/// instruction is one step an element; the flags that pushf shows have the trap flag; and after mov ss and
/// pop ss the processor does not trap.
class SingleStep {
 public:
  /// Looks at the instruction at regs.rip, and changes the registers so that one execution is one step.
  SingleStep(const memory::AddressSpace& space, cpu::Registers& regs);
  /// It has been executed: settles the registers. False if it has elements left.
  bool done(memory::AddressSpace& space, cpu::Registers& regs) const;
  /// It was not: puts back what the constructor changed.
  void undo(cpu::Registers& regs) const;
  bool traps() const { return !loads_stack_segment_; }

 private:
  u64 pc_ = 0;
  u64 count_ = 0;                                          ///< rcx before a repeated string instruction
  u64 count_mask_ = 0;                                     ///< of its counter; 0: it is none
  bool stops_on_zero_ = false, stops_on_nonzero_ = false;  ///< repne and repe of scas and cmps
  bool pushes_flags_ = false, loads_stack_segment_ = false;
};

}  // namespace orrery::machine
