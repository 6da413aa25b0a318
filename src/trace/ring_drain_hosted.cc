#include "trace/ring_drain_hosted.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/clock_hosted.h"

namespace orrery::trace {
namespace {

constexpr u64 kWakeBytes = 512 << 10;
constexpr u64 kSleepNs = 50'000'000;

}  // namespace

ProcessEnd RingDrain::run(const std::function<bool()>& gone) {
  drain(gone);
  if (!end_.gap && consumer_.lost()) end_.gap = GapReason::writer_lost;
  if (end_.gap) write_gap();
  return end_;
}

void RingDrain::drain(const std::function<bool()>& gone) {
  u64 waiting_since_ns = 0;
  for (;;) {
    // In this order: what a producer commits before it closes or dies must be seen.
    const bool over = consumer_.peer() != PeerState::present || gone();
    const std::span<const u8> bytes = consumer_.peek();
    const u64 now = monotonic_ns();
    if (bytes.empty()) {
      if (over) return;
      waiting_since_ns = 0;
      consumer_.wait(kWakeBytes, waiter_, kSleepNs);
      continue;
    }
    if (waiting_since_ns == 0) waiting_since_ns = now;
    if (!over && bytes.size() < limits_.bytes && now - waiting_since_ns + kSleepNs < limits_.ns) {
      consumer_.wait(std::min<u64>(limits_.bytes, ring_.capacity_bytes() / 2), waiter_, kSleepNs);
      continue;
    }
    waiting_since_ns = 0;
    if (!store(bytes)) return;
    // When the first process ends the recording is about to be closed, and synced then.
    if (!over || process_ != 0) sink_.sync_soon();
  }
}

/// Appends all whole events of `bytes` and gives their room back. False when that is not possible.
bool RingDrain::store(std::span<const u8> bytes) {
  u64 begin = 0;
  while (begin < bytes.size()) {
    const u64 end = end_of_chunk(bytes, begin);
    if (end == begin) {
      end_early(GapReason::bad_record, "the program's engine wrote a broken record");
      return false;
    }
    // Falling behind costs the guest time, so compress less then.
    const int level = bytes.size() > ring_.capacity_bytes() / 4 ? -3 : 1;
    const Status status = sink_.append(process_, bytes.subspan(begin, end - begin), level, encoder_);
    if (!status) {
      const int error = status.error().errno_value;
      end_early(error == ENOMEM ? GapReason::no_memory : GapReason::disk_full, std::strerror(error));
      return false;
    }
    stored_last_ = last_;
    consumer_.consume(end - begin, waiter_);
    begin = end;
  }
  return true;
}

/// The events from `begin` that make up one chunk; `begin` itself if the first is broken.
u64 RingDrain::end_of_chunk(std::span<const u8> bytes, u64 begin) {
  u64 end = begin;
  while (end < bytes.size()) {
    EventView event;
    // The ring shows whole records only, so an incomplete one is broken too.
    if (parse_event(bytes.subspan(end), event) != ParseResult::event) break;
    if (last_ && event.header->number != last_->number + 1) break;
    const u64 size_bytes = event.header->size_bytes;
    if (end != begin && end - begin + size_bytes > std::min<u64>(limits_.bytes, kChunkBytesAim)) break;
    last_ = *event.header;
    if (event.header->kind == EventKind::exit) end_.exit = *event.header;
    if (event.header->kind == EventKind::map) note_kept_file(event);
    end += size_bytes;
  }
  return end;
}

void RingDrain::note_kept_file(const EventView& event) {
  FileReference reference;
  if (event.payload.size() < sizeof reference) return;
  std::memcpy(&reference, event.payload.data(), sizeof reference);
  sink_.kept(reference.file_number);
}

void RingDrain::end_early(GapReason reason, const char* why) {
  end_.gap = reason;
  consumer_.close(waiter_);
  sink_.complain(why);
}

void RingDrain::write_gap() {
  EventHeader gap;
  gap.size_bytes = sizeof gap;
  gap.kind = EventKind::gap;
  gap.result = static_cast<i64>(*end_.gap);
  gap.time_ns = monotonic_ns();
  if (stored_last_) {
    gap.number = stored_last_->number + 1;
    gap.task = stored_last_->task;
    gap.ticks = stored_last_->ticks;
  }
  sink_.append_gap(process_, gap, encoder_);
}

}  // namespace orrery::trace
