#include "replay/event_reader.h"

#include <algorithm>
#include <cstring>

namespace orrery::replay {

using trace::EventHeader;
using trace::EventView;
using trace::ParseResult;

namespace {
constexpr u64 kReleaseBytes = 256 * 1024;  ///< how much is taken before the feeder is told
constexpr u64 kWaitNs = 1'000'000'000;
}  // namespace

const EventHeader* EventReader::fetch() {
  if (!wait_for_event()) return nullptr;
  have_event_ = true;
  return &header_;
}

/// Makes the event at the front the current one. False at the end, or at bytes that are none.
bool EventReader::wait_for_event() {
  while (!damaged_) {
    EventView view;
    const ParseResult parsed = trace::parse_event(window_.subspan(window_used_), view);
    if (parsed == ParseResult::event) {
      std::memcpy(&header_, view.header, sizeof header_);
      payload_ = view.payload;
      payload_used_ = 0;
      return true;
    }
    if (parsed == ParseResult::invalid) {
      damaged_ = true;
      return false;
    }
    release();
    const u64 had = window_.size();
    window_ = consumer_.peek();
    if (window_.size() > had) continue;
    const trace::PeerState peer = consumer_.peer();
    if (peer != trace::PeerState::present) {
      // What was committed just before the peer closed must still be seen.
      window_ = consumer_.peek();
      if (window_.size() > had) continue;
      damaged_ = !window_.empty() || peer == trace::PeerState::broken;
      return false;
    }
    consumer_.wait(window_.size() + sizeof(EventHeader), waiter_, kWaitNs);
  }
  return false;
}

/// Gives what was taken back to the feeder.
void EventReader::release() {
  if (window_used_ == 0) return;
  consumer_.consume(window_used_, waiter_);
  window_ = window_.subspan(window_used_);
  window_used_ = 0;
}

void EventReader::take() {
  have_event_ = false;
  next_number_ = header_.number + 1;
  window_used_ += header_.size_bytes;
}

bool EventReader::continue_payload() {
  if (window_used_ >= kReleaseBytes) release();
  const bool more = wait_for_event();
  cut_short_ = more ? header_.kind == trace::EventKind::gap : !damaged_;
  if (!more || header_.kind != trace::EventKind::more) return false;
  take();
  return true;
}

bool EventReader::read(void* to, u64 size_bytes) {
  u8* out = static_cast<u8*>(to);
  while (size_bytes > 0) {
    if (payload_used_ == payload_.size() && !continue_payload()) return false;
    const u64 now = std::min<u64>(size_bytes, payload_.size() - payload_used_);
    std::memcpy(out, payload_.data() + payload_used_, now);
    payload_used_ += now;
    out += now;
    size_bytes -= now;
  }
  return true;
}

void EventReader::begin_process(bool new_ring) {
  next_number_ = 0;
  if (!new_ring) return;
  window_ = {};
  payload_ = {};
  window_used_ = payload_used_ = 0;
  have_event_ = damaged_ = cut_short_ = false;
}

bool EventReader::finish() {
  if (window_used_ >= kReleaseBytes) release();
  return payload_used_ == payload_.size();
}

}  // namespace orrery::replay
