// The files of /proc/PID that are the host's text with the guest's values in it. Used by proc_self.cc and
// proc_others.cc.
#pragma once

#include <vector>

#include "base/text.h"
#include "kernel/process_view.h"
#include "kernel/resident.h"
#include "kernel/task.h"

namespace orrery::kernel {

/// Whose file it is.
struct Shown {
  const ProcessView& view;
  const ProcessView::TaskView& thread;
  Sizes sizes;                               ///< of `view`
  const Task* own = nullptr;                 ///< the thread, of the process that reads; null: another's
  const MeasuredMemory* measured = nullptr;  ///< what status takes; of another process also stat and statm
  u32 descriptor_table = 0;                  ///< what status takes: FDSize

  const Process& process() const { return own->process; }
  /// Resident pages, of which the host counts so many, less the engine's.
  u64 resident_pages(u64 host_pages) const;
};

/// Each takes the host's file of the same name; where that is empty (no /proc), only the guest's part is
/// written.
void write_stat_over(const Shown& shown, const std::vector<char>& host_text, Text& out);
void write_status_over(const Shown& shown, const std::vector<char>& host_text, Text& out);
void write_statm_over(const Shown& shown, const std::vector<char>& host_text, Text& out);

}  // namespace orrery::kernel
