// Which instructions may write memory, for code that must look at itself again after each store.
#pragma once

#include "x86/decode.h"

namespace orrery::x86 {

/// Whether `decoded` may write memory, by its operand or implicitly. Errs on the side of true: only the
/// common encodings are known not to. Transfers (a call pushes) are not asked about and give true.
bool may_store(const Decoded& decoded);

}  // namespace orrery::x86
