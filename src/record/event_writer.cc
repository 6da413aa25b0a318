#include "record/event_writer.h"

#include <algorithm>
#include <cstring>

#include "trace/event_view.h"

namespace orrery::record {

using trace::EventHeader;

namespace {
constexpr u64 kPayloadBytesMost = trace::kEventBytesMost - sizeof(EventHeader);
}  // namespace

bool EventWriter::begin(const host::Instant& instant, const Event& event, u64 payload_bytes) {
  if (!alive_) return false;
  payload_left_ = payload_bytes;
  EventHeader header;
  header.kind = event.kind;
  header.detail = event.detail;
  header.task = instant.task;
  header.ticks = instant.ticks;
  header.pc = instant.pc;
  header.request_hash = event.request_hash;
  header.result = event.result;
  header.time_ns = event.time_ns;
  header.waited_ns = event.waited_ns;
  return open(header);
}

/// Reserves room for an event that takes as much as possible of what is left, and writes its header.
bool EventWriter::open(EventHeader header) {
  const u64 bytes = std::min(payload_left_, kPayloadBytesMost);
  header.size_bytes = static_cast<u32>(trace::event_bytes(bytes));
  header.payload_bytes = static_cast<u32>(bytes);
  event_ = producer_.reserve(header.size_bytes);
  if (event_ == nullptr) event_ = producer_.reserve_waiting(header.size_bytes, waiter_);
  if (event_ == nullptr) {
    alive_ = false;
    producer_.set_lost();
    return false;
  }
  header.number = next_number_++;
  if (header.time_ns == 0) header.time_ns = clock_.now_ns();
  std::memcpy(event_, &header, sizeof header);
  cursor_ = event_ + sizeof header;
  payload_end_ = cursor_ + bytes;
  payload_left_ -= bytes;
  return true;
}

void EventWriter::begin_process(bool has_ring) {
  alive_ = has_ring;
  next_number_ = 0;
  payload_left_ = 0;
  event_ = cursor_ = payload_end_ = nullptr;
}

void EventWriter::put(const void* bytes, u64 size_bytes) {
  const u8* from = static_cast<const u8*>(bytes);
  while (size_bytes > 0 && alive_) {
    if (cursor_ == payload_end_) {
      EventHeader header;
      std::memcpy(&header, event_, sizeof header);
      end();
      header.kind = trace::EventKind::more;
      if (!open(header)) return;
    }
    const u64 now = std::min<u64>(size_bytes, static_cast<u64>(payload_end_ - cursor_));
    std::memcpy(cursor_, from, now);
    cursor_ += now;
    from += now;
    size_bytes -= now;
  }
}

void EventWriter::end() {
  if (!alive_) return;
  while ((reinterpret_cast<u64>(cursor_) & 7) != 0) *cursor_++ = 0;
  producer_.commit(static_cast<u64>(cursor_ - event_), waiter_);
}

}  // namespace orrery::record
