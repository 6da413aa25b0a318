// Tells the address space which of the process's resource limits bind it. Called when they change.
#pragma once

#include "kernel/process.h"

namespace orrery::kernel {

void apply_memory_limits(Process& process);

}  // namespace orrery::kernel
