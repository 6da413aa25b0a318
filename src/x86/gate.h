// The gated instructions of design.md invariant 3, by name. They must not run directly because the
// program could learn something the recording does not know, or see the engine. The decoder names
// them, the executors stop at them, machine/gates.cc performs them.
#pragma once

#include "base/types.h"

namespace orrery::x86 {

enum class Gate : u8 {
  none,
  cpuid,
  rdtsc,
  rdtscp,
  rdpid,
  rdrand,
  rdseed,
  xgetbv,
  xsave,
  xsavec,
  xsaveopt,
  xrstor,
  fxsave,
  fxrstor,
  fnstenv,
  fnsave,
  lsl,
  lar,
  verr,
  verw,
  sgdt,
  sidt,
  sldt,
  str,
  smsw,
  int80,
  sysenter,
  rdfsbase,
  rdgsbase,
  wrfsbase,
  wrgsbase,
  popf_trap,
  approximation,  ///< rcpps and its kin, in profiles that fix their results
  far_transfer,   ///< far jmp, call and ret, iret: the decoder has a category for them
};

}  // namespace orrery::x86
