// Code that runs from a shared file mapping (a JIT's memfd) can also be changed by write(2) and its kin.
#pragma once

#include "kernel/task.h"

namespace orrery::kernel {

/// After the system call that `task` has just made: if it wrote to a file that code runs from, the address
/// space is told. Cheap when no code runs from shared file mappings.
void announce_file_writes(Task& task);

}  // namespace orrery::kernel
