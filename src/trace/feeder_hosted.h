// Feeds a trace into a ring for an engine that replays: the writer's other way round.
#pragma once

#include "trace/ring.h"
#include "trace/trace_file_hosted.h"

namespace orrery::trace {

/// Hands the events of a reader to a ring's consumer, as far as there is room.
class RingFeeder {
 public:
  RingFeeder(TraceReader& reader, Producer& producer, Waiter& waiter)
      : reader_(reader), producer_(producer), waiter_(waiter) {}

  enum class State : u8 {
    fed,       ///< the ring is full; more later
    finished,  ///< all events are in the ring, which is closed
    refused,   ///< the consumer has gone, or an event is larger than the ring takes
  };

  /// Fills the ring without waiting.
  State feed();
  /// feed(), and then waits for room, at most timeout_ns.
  State feed_and_wait(u64 timeout_ns);

 private:
  TraceReader& reader_;
  Producer& producer_;
  Waiter& waiter_;
  std::span<const u8> run_;  ///< read, not yet in the ring
};

}  // namespace orrery::trace
