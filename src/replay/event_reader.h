// Takes events out of the ring on replay. What lies there comes from a recording that may be a
// stranger's, so nothing is believed before it was checked (trace/event_view.h).
#pragma once

#include "base/types.h"
#include "trace/event_view.h"
#include "trace/ring.h"

namespace orrery::replay {

class EventReader {
 public:
  EventReader(trace::Consumer& consumer, trace::Waiter& waiter) : consumer_(consumer), waiter_(waiter) {}

  /// The next event, waiting for it if need be; null when there are no more, or none that is sound
  /// (damaged()). Stays valid until take() or skip().
  const trace::EventHeader* peek() {
    if (have_event_) return &header_;
    return fetch();
  }

  /// Begins to take the event that peek() returned; read() then delivers its payload.
  void take();
  /// The next `size_bytes` of payload, out of `more` events when the first is used up. False if the
  /// event holds fewer.
  bool read(void* to, u64 size_bytes);
  /// Ends the taking. False if payload is left over.
  bool finish();

  /// What is left of the payload's first part, where it stands. For short payloads.
  std::span<const u8> rest() const { return payload_.subspan(payload_used_); }

  /// Events of another process follow, numbered from 0; `new_ring`: in a ring that the consumer was just
  /// given.
  void begin_process(bool new_ring);

  bool damaged() const { return damaged_; }
  /// The recording ends within the event that read() was reading: its recorder was killed or had no room.
  bool cut_short() const { return cut_short_; }
  u64 next_number() const { return next_number_; }  ///< of the event that follows the last one taken

 private:
  const trace::EventHeader* fetch();
  bool wait_for_event();
  void release();
  bool continue_payload();

  trace::Consumer& consumer_;
  trace::Waiter& waiter_;
  std::span<const u8> window_;  ///< peeked bytes from the front of what was not released
  u64 window_used_ = 0;         ///< of `window_`, by events already taken
  trace::EventHeader header_;   ///< a copy: the bytes in the ring could change under us
  std::span<const u8> payload_;
  u64 payload_used_ = 0;
  u64 next_number_ = 0;
  bool have_event_ = false;
  bool damaged_ = false;
  bool cut_short_ = false;
};

}  // namespace orrery::replay
