// What becomes of a process's capabilities when it executes a program. The host's exec, which would see to
// it, is never made.
#pragma once

#include "kernel/process.h"

namespace orrery::kernel {

/// At exec, past the point of no return.
void drop_capabilities(Process& process);

}  // namespace orrery::kernel
