// Puts events into the ring: headers, payloads, and the events of kind `more` that carry what does not
// fit into one. It is on the path of every system call of a recorded program, so it takes no lock, makes
// no system call and allocates nothing, unless the ring is full.
#pragma once

#include "base/types.h"
#include "host/host.h"
#include "host/tsc_clock.h"
#include "trace/event.h"
#include "trace/ring.h"

namespace orrery::record {

class EventWriter {
 public:
  EventWriter(trace::Producer& producer, trace::Waiter& waiter, host::TscClock clock)
      : producer_(producer), waiter_(waiter), clock_(clock) {}

  /// What an event says of itself; size, number and time are the writer's to fill in.
  struct Event {
    trace::EventKind kind = trace::EventKind::none;
    u16 detail = 0;
    u64 request_hash = 0;
    i64 result = 0;
    u64 time_ns = 0;    ///< when it began to have effects outside; 0: now
    u64 waited_ns = 0;  ///< as EventHeader's
  };

  /// Opens an event with `payload_bytes` of payload, which put() then delivers; end() makes it visible.
  /// False if the recording has ended because nobody drains the ring: then neither put() nor end().
  bool begin(const host::Instant& instant, const Event& event, u64 payload_bytes);
  void put(const void* bytes, u64 size_bytes);
  void end();

  /// begin, put and end in one.
  void write(const host::Instant& instant, const Event& event, std::span<const u8> payload = {}) {
    if (!begin(instant, event, payload.size())) return;
    put(payload.data(), payload.size());
    end();
  }

  /// A new process begins, with a ring of its own (the producer has been given it); or without, and then
  /// nothing is recorded any more.
  void begin_process(bool has_ring);

  u64 now_ns() const { return clock_.now_ns(); }
  bool alive() const { return alive_; }
  /// Whether the writer process said that it takes no more, and why, before it stopped draining.
  bool closed_by_peer() const { return producer_.peer() == trace::PeerState::closed; }
  u64 next_number() const { return next_number_; }
  void close() { producer_.close(waiter_); }

 private:
  bool open(trace::EventHeader header);

  trace::Producer& producer_;
  trace::Waiter& waiter_;
  host::TscClock clock_;
  u64 next_number_ = 0;
  u64 payload_left_ = 0;  ///< of the whole answer, not yet in an opened event
  u8* event_ = nullptr;   ///< the opened event in the ring; null while none is
  u8* cursor_ = nullptr;
  u8* payload_end_ = nullptr;
  bool alive_ = true;
};

}  // namespace orrery::record
