#include "machine/schedule_notes.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace orrery::machine {

using kernel::ScheduleNote;
using kernel::ScheduleStep;

void ScheduleNotes::begin(u32 question, std::span<const u64> stop_calls) {
  question_ = question;
  for (std::size_t i = 0; i < kStopCallWords; ++i) stop_calls_[i] = i < stop_calls.size() ? stop_calls[i] : 0;
  lock_wait_ = 0;
  if (on()) return;
  notes_.clear();
  calls_.clear();
}

namespace {

u64 key_of(i32 task) { return static_cast<u32>(task); }

}  // namespace

void ScheduleNotes::add(const ScheduleNote& note, bool on_futex) {
  if (!stops_only() || ++left_out_ % kLeftOutMost == 0) notes_.push_back(note);
  if (note.step == ScheduleStep::call) {
    calls_[key_of(note.task)] = {note.words[0], false};
  } else if (note.step == ScheduleStep::ended) {
    calls_.erase(key_of(note.task));
    if (lock_wait_ == note.task) lock_wait_ = 0;
  }
  if (on_futex && (question_ & kScheduleStopsAtLocks) != 0) lock_wait_ = note.task;
}

u64 ScheduleNotes::futex_of(i32 task) const {
  const Call* const call = calls_.find(key_of(task));
  return call == nullptr ? 0 : call->first_argument;
}

u32 ScheduleNotes::take(u64 from, std::span<u8> out) {
  const u64 all = notes_.size() * sizeof(ScheduleNote);
  if (from >= all) {
    forget();
    return 0;
  }
  const u64 most = out.size() / sizeof(ScheduleNote) * sizeof(ScheduleNote);
  const u64 count = std::min(all - from, most);
  std::memcpy(out.data(), reinterpret_cast<const u8*>(notes_.data()) + from, count);
  if (from + count == all) forget();
  return static_cast<u32>(count);
}

bool ScheduleNotes::stops_at(u64 number, const kernel::Task& task) {
  if (!on()) return true;
  if (number < kStopCallWords * 64 && (stop_calls_[number / 64] >> (number % 64) & 1) == 0) return false;
  if (Call* const call = calls_.find(key_of(task.id.value))) call->stopped = true;
  return true;
}

bool ScheduleNotes::stops_before(const kernel::Task& task) {
  if (!on()) return true;
  Call* const call = calls_.find(key_of(task.id.value));
  return call != nullptr && std::exchange(call->stopped, false);
}

i32 ScheduleNotes::take_lock_wait() { return std::exchange(lock_wait_, 0); }

}  // namespace orrery::machine
