// The files of /proc/PID that show the address space region by region: maps, smaps, smaps_rollup and
// numa_maps, in the formats of fs/proc/task_mmu.c. Used by proc_self.cc
// and proc_others.cc.
#pragma once

#include <vector>

#include "base/text.h"
#include "kernel/process_view.h"
#include "kernel/resident.h"

namespace orrery::kernel {

void write_maps(const ProcessView& view, Text& out);
void write_smaps(const ProcessView& view, const MeasuredMemory& measured, Text& out);
/// `host_text` is the host's file of that name.
void write_smaps_rollup(const ProcessView& view, const MeasuredMemory& measured,
                        const std::vector<char>& host_text, Text& out);
void write_numa_maps(const ProcessView& view, const MeasuredMemory& measured, Text& out);

}  // namespace orrery::kernel
