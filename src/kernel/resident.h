// How much of the guest's memory is really in memory. The host measures it by its own mappings
// (/proc/self/smaps), among which are the engine's; here the figures are given to the guest's regions. Used
// by the files of /proc/PID that tell them.
#pragma once

#include <string_view>
#include <vector>

#include "base/types.h"
#include "kernel/process_view.h"

namespace orrery::kernel {

class MeasuredMemory {
 public:
  /// Takes the guest's regions and the text of the host's smaps. Empty text: everything is 0.
  MeasuredMemory(const std::vector<memory::Region>& regions, std::vector<char> smaps);

  /// A figure ("Rss", "Anonymous", ...) of the region that is the index-th of them, in kB.
  u64 kilobytes(std::size_t region, std::string_view name) const;
  /// The same of all regions together.
  u64 total_kilobytes(std::string_view name) const;
  /// The lines that follow a mapping's first, as this kernel prints them.
  std::string_view sample() const { return sample_; }

 private:
  /// One mapping of the host's, while its lines are read.
  struct Mapping {
    u64 start = 0, end = 0;
  };
  std::size_t column(std::string_view name) const;
  void share_out(const Mapping& mapping, std::string_view lines);
  void read_sample();

  std::vector<char> text_;
  std::string_view sample_;
  std::vector<std::string_view> names_;  ///< one column each
  std::vector<u64> values_;              ///< a row a region
  std::size_t region_count_ = 0;
  // share_out goes through mappings and regions side by side.
  std::vector<const memory::Region*> regions_;
  std::size_t first_region_ = 0;
};

/// Asks the host, of the process itself: its regions are `view`'s.
MeasuredMemory measure_memory(Process& process, const ProcessView& view);

/// The engine's part of the process's resident pages, of which the host counts `host_pages`. Measured again
/// when that has changed much since the last time.
u64 engine_resident_pages(Process& process, u64 host_pages);

}  // namespace orrery::kernel
