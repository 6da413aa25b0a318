// Calls that natively sleep until all their bytes have gone through, while other tasks live: made in parts,
// as much each time as goes at once.
#pragma once

#include "kernel/syscalls/call.h"

namespace orrery::kernel {

bool is_transfer(const Call& call);

/// Performs such a call.
i64 transfer_among_others(Call& call);

}  // namespace orrery::kernel
