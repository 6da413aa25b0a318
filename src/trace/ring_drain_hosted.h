// Takes the events of one process out of its ring and into the trace, until the process is gone.
#pragma once

#include <functional>
#include <optional>

#include "trace/ring_hosted.h"
#include "trace/trace_sink_hosted.h"

namespace orrery::trace {

/// How long events may wait in a ring, whichever is first.
struct FlushLimits {
  u64 bytes = 1 << 20;
  u64 ns = 100'000'000;
};

class RingDrain {
 public:
  RingDrain(u32 process, MappedRing& ring, TraceSink& sink, ChunkEncoder& encoder, FlushLimits limits)
      : process_(process),
        ring_(ring),
        sink_(sink),
        encoder_(encoder),
        limits_(limits),
        consumer_(ring.base(), ring.capacity_bytes()) {}

  /// Until the ring is closed and drained, or the process is gone and what it committed is stored, or
  /// nothing can be written any more. `gone` tells whether the process still is.
  ProcessEnd run(const std::function<bool()>& gone);

 private:
  void drain(const std::function<bool()>& gone);
  bool store(std::span<const u8> bytes);
  u64 end_of_chunk(std::span<const u8> bytes, u64 begin);
  void note_kept_file(const EventView& event);
  void end_early(GapReason reason, const char* why);
  void write_gap();

  u32 process_;
  MappedRing& ring_;
  TraceSink& sink_;
  ChunkEncoder& encoder_;
  FlushLimits limits_;
  FutexWaiter waiter_;
  Consumer consumer_;
  std::optional<EventHeader> last_;         ///< seen in the ring
  std::optional<EventHeader> stored_last_;  ///< in the file
  ProcessEnd end_;
};

}  // namespace orrery::trace
