// What a trapping or undefined instruction raises, known without executing it (SDM vol. 3, 6.15 and the
// instruction's page in vol. 2): for the executors, which never copy one.
#pragma once

#include "base/types.h"
#include "x86/decode.h"

namespace orrery::x86 {

/// Exception vectors (SDM vol. 3, table 6-1), as sigcontext.trapno shows them.
inline constexpr u8 kVectorDebug = 1, kVectorBreakpoint = 3, kVectorOverflow = 4, kVectorInvalidOpcode = 6,
                    kVectorGeneralProtection = 13, kVectorPageFault = 14;

struct Exception {
  u8 vector = kVectorInvalidOpcode;
  u32 error_code = 0;
  bool is_trap = false;  ///< the pc it reports is after the instruction (int3, icebp, int 3, int 4)
};

/// For Category::invalid and Category::trap.
Exception exception_of(const Decoded& decoded);

}  // namespace orrery::x86
