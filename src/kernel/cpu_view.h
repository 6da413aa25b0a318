// The files that tell how many processors there are and what they can: the guest has one, and it can what
// the CPU profile says. sched_getaffinity(2) and getcpu(2) say the same (syscalls/task.cc).
#pragma once

#include <string_view>

#include "base/text.h"
#include "base/types.h"
#include "kernel/process.h"

namespace orrery::kernel {

/// True if this absolute path is such a file.
bool is_cpu_file(std::string_view path);

/// open(2) of it: a new descriptor, or -errno.
i64 open_cpu_file(Process& process, std::string_view path, int flags);

/// /proc/cpuinfo for the guest, made from the host's: the first processor, without the features that the
/// profile hides.
void write_cpuinfo(std::string_view hosts, u64 xcr0, Text& out);

}  // namespace orrery::kernel
