// What native.S and the C++ of this room share: where guest registers wait in the data page of the
// scratch area, which lies one page above the code that runs.
#pragma once

#define ORRERY_STEP_BODY 1024  // of the code page: where the instruction is written
#define ORRERY_STEP_DATA 4096  // of the scratch area: the frame below
#define ORRERY_STEP_GPR 0
#define ORRERY_STEP_RFLAGS 128
#define ORRERY_STEP_ENGINE_RSP 136
#define ORRERY_STEP_SPILL 144
#define ORRERY_STEP_VALUE 152

#ifndef __ASSEMBLER__

#include <cstddef>

#include "base/types.h"
#include "cpu/registers.h"

namespace orrery::step {

struct Frame {
  u64 gpr[cpu::kGprCount];  ///< the guest's
  u64 rflags;               ///< the guest's
  u64 engine_rsp;
  u64 spill;  ///< the guest's value of the register a rip-relative operand borrows
  u64 value;  ///< a branch target that was loaded, or the return address to push
};
static_assert(offsetof(Frame, rflags) == ORRERY_STEP_RFLAGS);
static_assert(offsetof(Frame, engine_rsp) == ORRERY_STEP_ENGINE_RSP);
static_assert(offsetof(Frame, spill) == ORRERY_STEP_SPILL);
static_assert(offsetof(Frame, value) == ORRERY_STEP_VALUE);

}  // namespace orrery::step

#endif
