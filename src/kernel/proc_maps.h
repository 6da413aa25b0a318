// The files of /proc/self that show the address space region by region: maps, smaps, smaps_rollup and
// numa_maps, in the formats of fs/proc/task_mmu.c. Used by proc_self.cc.
#pragma once

#include "base/text.h"
#include "kernel/task.h"

namespace orrery::kernel {

void write_maps(Task& task, Text& out);
void write_smaps(Task& task, Text& out);
void write_smaps_rollup(Task& task, Text& out);
void write_numa_maps(Task& task, Text& out);

}  // namespace orrery::kernel
