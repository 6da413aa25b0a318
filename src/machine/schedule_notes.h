// What the guest kernel tells of its tasks during a replay, kept until the process that asks has room for it,
// and at which system calls that process wants to stop.
#pragma once

#include <span>
#include <vector>

#include "base/hash_map.h"
#include "kernel/schedule_note.h"
#include "kernel/task.h"
#include "machine/control.h"

namespace orrery::machine {

class ScheduleNotes {
 public:
  /// `question`: machine::kScheduleNotes and the like. No `stop_calls` means none.
  void begin(u32 question, std::span<const u64> stop_calls);
  bool on() const { return (question_ & kScheduleNotes) != 0; }

  void add(const kernel::ScheduleNote& note, bool on_futex);
  /// The address that the call of a waiting task names.
  u64 futex_of(i32 task) const;
  const std::vector<kernel::ScheduleNote>& notes() const { return notes_; }
  bool full() const { return notes_.size() >= (stops_only() ? 1 : kNotesMost); }
  void forget() { notes_.clear(); }
  /// Copies those behind the first `from` bytes: how many bytes. With the last, they are forgotten.
  u32 take(u64 from, std::span<u8> out);

  /// Whether the replay is to stop at the entry of that call, and then also when the task runs on.
  bool stops_at(u64 number, const kernel::Task& task);
  bool stops_before(const kernel::Task& task);
  /// The task that has begun to wait on a futex, once; 0 if none has.
  i32 take_lock_wait();

 private:
  static constexpr std::size_t kNotesMost = 4096;
  static constexpr u64 kLeftOutMost = 1 << 16;
  struct Call {
    u64 first_argument = 0;
    bool stopped = false;  ///< at its entry
  };

  bool stops_only() const { return (question_ & kScheduleStopsOnly) != 0; }

  u32 question_ = 0;
  u64 stop_calls_[kStopCallWords] = {};
  std::vector<kernel::ScheduleNote> notes_;
  u64 left_out_ = 0;     ///< notes that nobody wanted
  HashMap<Call> calls_;  ///< by task: what it is in, or was in last
  i32 lock_wait_ = 0;
};

}  // namespace orrery::machine
