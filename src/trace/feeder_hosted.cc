#include "trace/feeder_hosted.h"

#include <cstring>

namespace orrery::trace {

RingFeeder::State RingFeeder::feed() {
  for (;;) {
    if (run_.empty()) run_ = reader_.next_run();
    if (run_.empty()) {
      producer_.close(waiter_);
      return State::finished;
    }
    EventView event;
    CHECK(parse_event(run_, event) == ParseResult::event, "trace: the reader gave a broken event");
    const u64 size_bytes = event.header->size_bytes;
    if (size_bytes > producer_.record_bytes_most()) return State::refused;
    u8* room = producer_.reserve(size_bytes);
    if (room == nullptr) return producer_.peer() == PeerState::closed ? State::refused : State::fed;
    std::memcpy(room, run_.data(), size_bytes);
    producer_.commit(size_bytes, waiter_);
    run_ = run_.subspan(size_bytes);
  }
}

RingFeeder::State RingFeeder::feed_and_wait(u64 timeout_ns) {
  const State state = feed();
  if (state == State::fed) {
    EventView event;
    CHECK(parse_event(run_, event) == ParseResult::event, "trace: the reader gave a broken event");
    producer_.wait_for_space(event.header->size_bytes, waiter_, timeout_ns);
  }
  return state;
}

}  // namespace orrery::trace
