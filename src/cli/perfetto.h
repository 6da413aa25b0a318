// Writes Perfetto's trace format (perfetto.dev, "Trace Packets"; protos/perfetto/trace): a protobuf message
// of packets, which ui.perfetto.dev opens. Only what a timeline of processes and threads needs.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"

namespace orrery::cli {

class PerfettoWriter {
 public:
  using Annotations = std::vector<std::pair<std::string, std::string>>;
  static constexpr u64 kNoFlow = 0;

  explicit PerfettoWriter(std::FILE* out) : out_(out) {}

  /// Tracks are named by numbers of the caller's choice, never 0. A thread lies under its process.
  void process_track(u64 track, i32 pid, std::string_view name);
  void thread_track(u64 track, u64 process_track, i32 pid, i32 tid, std::string_view name);
  /// Times are ns since the recording began.
  void slice(u64 track, u64 begin_ns, u64 end_ns, std::string_view name, const Annotations& annotations = {});
  /// Instants of the same `flow` are joined by an arrow, in the order of their times.
  void instant(u64 track, u64 time_ns, std::string_view name, const Annotations& annotations = {},
               u64 flow = kNoFlow);

 private:
  enum class EventType : u8 { slice_begin = 1, slice_end = 2, instant = 3 };
  void event(u64 track, u64 time_ns, EventType type, std::string_view name, const Annotations& annotations,
             u64 flow = kNoFlow);
  void packet(const std::string& bytes);

  std::FILE* out_;
  bool first_ = true;
};

}  // namespace orrery::cli
