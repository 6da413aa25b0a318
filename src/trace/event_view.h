// Reading events out of bytes that may be anything: the ring on replay and a chunk of a recording both
// hold what a stranger wrote. Nothing is read of an event before its sizes are known to fit.
#pragma once

#include <span>

#include "trace/event.h"

namespace orrery::trace {

/// An event where it stands. Valid as long as the bytes are.
struct EventView {
  const EventHeader* header = nullptr;
  std::span<const u8> payload;
};

constexpr u64 event_bytes(u64 payload_bytes) { return sizeof(EventHeader) + ((payload_bytes + 7) & ~u64{7}); }

enum class ParseResult : u8 {
  event,
  incomplete,  ///< fewer bytes than one event; more may follow
  invalid,     ///< no event begins here
};

/// Reads the event at the front of `bytes`, which is 8-byte aligned.
inline ParseResult parse_event(std::span<const u8> bytes, EventView& view) {
  if (bytes.size() < sizeof(EventHeader)) return ParseResult::incomplete;
  const auto* header = reinterpret_cast<const EventHeader*>(bytes.data());
  // Read once: the producer of a ring could change the words under us.
  const u32 size_bytes = __atomic_load_n(&header->size_bytes, __ATOMIC_RELAXED);
  const u32 payload_bytes = __atomic_load_n(&header->payload_bytes, __ATOMIC_RELAXED);
  if (size_bytes > kEventBytesMost || size_bytes != event_bytes(payload_bytes)) return ParseResult::invalid;
  if (size_bytes > bytes.size()) return ParseResult::incomplete;
  view.header = header;
  view.payload = bytes.subspan(sizeof(EventHeader), payload_bytes);
  return ParseResult::event;
}

}  // namespace orrery::trace
