// The files of /proc/self that are the host's text with the guest's values in it. Pure: host text in, guest
// text out. Used by proc_self.cc and its tests.
#pragma once

#include <vector>

#include "base/text.h"
#include "kernel/resident.h"
#include "kernel/task.h"

namespace orrery::kernel {

/// Each takes the host's file of the same name; where that is empty (no /proc), only the guest's part is
/// written.
void write_stat_over(Task& task, const std::vector<char>& host_text, Text& out);
void write_status_over(Task& task, const std::vector<char>& host_text, const MeasuredMemory& measured,
                       Text& out);
void write_statm_over(Task& task, const std::vector<char>& host_text, Text& out);

}  // namespace orrery::kernel
