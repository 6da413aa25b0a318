// The raw frame: what each word between the stack pointer and the CFA is.
#pragma once

#include <map>

#include "lens/stack/task_stack.h"
#include "lens/task_machine.h"

namespace orrery::lens {

/// A variable that lies in some frame; arguments that were passed on the stack lie in the caller's.
struct PlacedVariable {
  u64 end = 0;
  u64 frame = 0;  ///< index of the frame whose function it belongs to
  std::string name{}, function{};
  std::string value{};  ///< "" if it is no short one
};
using PlacedVariables = std::multimap<u64, PlacedVariable>;  ///< by address

/// Fills in the slots of a frame that has a CFA.
void read_slots(TaskMachine& machine, const elf::Images& images, const elf::Frame& frame,
                const PlacedVariables& variables, StackFrame& out);

}  // namespace orrery::lens
