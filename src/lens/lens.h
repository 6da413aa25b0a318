// What a lens is: it looks at a recording, or at its processes while they are replayed, and fills the tables
// it declares. One replay serves all lenses that are wanted; what they found is kept beside the recording.
//
// A new lens is one file with its tables, its Watcher and its Lens, and one row in lenses.cc.
#pragma once

#include <bitset>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lens/call.h"
#include "lens/process_tree.h"
#include "lens/replay_session.h"
#include "lens/rows.h"
#include "trace/info_hosted.h"
#include "trace/opened_trace_hosted.h"

namespace orrery::lens {

/// A recording that is being looked at.
struct Recording {
  std::string directory{};
  std::shared_ptr<const trace::OpenedTrace> trace{};
  trace::RecordingInfo info{};
  ProcessTree tree{};
  u64 begin_ns = 0;  ///< CLOCK_MONOTONIC of the first event: where the recording's time begins

  /// Since the beginning of the recording.
  u64 since_begin(u64 time_ns) const { return time_ns > begin_ns ? time_ns - begin_ns : 0; }
};

/// `directory`: of a recording.
Fallible<Recording> open_recording(const std::string& directory);

/// Where a process is in its life.
struct Instant {
  u64 event = 0;  ///< number of its next event
  i32 task = 0;
  u64 ticks = 0;
  u64 instructions = 0;  ///< of the process, since ReplaySession::count_instructions()
  u64 time_ns = 0;       ///< since the beginning; between two events in proportion to the ticks
};

/// A system call as the walk through a process met it.
struct WalkedCall {
  const Call& call;
  const Instant& entry;
  const Instant& exit;  ///< equal to `entry` as long as it has not returned
  u64 number = 0;       ///< counts the calls of the process

  bool replaced_program() const { return call.replaced_program(); }
};

/// System calls by number.
using CallSet = std::bitset<u64{machine::kStopCallWords} * 64>;

/// Looks at one process while it is replayed, on a thread of its own: other processes have other Watchers.
class Watcher {
 public:
  virtual ~Watcher() = default;
  /// The process stands where its own life begins: before its first instruction, or behind the fork.
  virtual void begin(ReplaySession&, const Instant&) {}
  virtual void enter(ReplaySession&, const WalkedCall&) {}
  /// The call has returned, or the process has ended in it (Call::returned).
  virtual void leave(ReplaySession&, const WalkedCall&) {}
  /// Stands before the instruction at one of its breakpoints, or of another Watcher's.
  virtual void reach(ReplaySession&, u64 /*pc*/, const Instant&) {}
  /// Nothing of the process is gone yet.
  virtual void end(ReplaySession&, const Instant&) {}

  /// The calls whose entry and return it wants to be shown; null: all. Stops take time, notes do not.
  virtual const CallSet* calls() const { return nullptr; }
  /// Whether it wants to be told of every call and every turn of the tasks: in order, and before it is shown
  /// a stop behind them.
  virtual bool wants_notes() const { return false; }
  virtual void note(const kernel::ScheduleNote&, u64 /*time_ns: since the beginning*/) {}
  /// Whether it wants to be shown the process when a task has begun to wait on a futex.
  virtual bool wants_lock_waits() const { return false; }
  virtual void lock_wait(ReplaySession&, i32 /*task*/) {}

  /// Where it wants to be shown the process. Another program has none of them.
  const std::set<u64>& breakpoints() const { return breakpoints_; }
  u64 breakpoint_changes() const { return breakpoint_changes_; }

 protected:
  void break_at(u64 address) { breakpoint_changes_ += breakpoints_.insert(address).second ? 1 : 0; }
  void break_nowhere() {
    ++breakpoint_changes_;
    breakpoints_.clear();
  }

 private:
  std::set<u64> breakpoints_;
  u64 breakpoint_changes_ = 0;
};

/// One replay as one lens asks it: what its Watchers share, and what is left to do when all processes have
/// ended.
class Inquiry {
 public:
  virtual ~Inquiry() = default;
  /// Called from the processes' own threads, several at a time. May return null as Lens::watch does.
  virtual std::unique_ptr<Watcher> watch(const TreeProcess& process) = 0;
  /// No Watcher looks any more.
  virtual Fallible<Nothing> finish() { return Nothing{}; }
};

struct Lens {
  const char* name;      ///< of a layer, or of a part of one
  u32 version;           ///< is raised when it finds something else than before, so that it is asked again
  const char* sentence;  ///< what it finds
  std::vector<db::TableDescription> (*tables)();
  /// What the events alone tell; null if that is nothing.
  void (*read)(const Recording& recording, Rows& rows);
  /// Null if it needs no replay. May return null for a process that is of no interest.
  std::unique_ptr<Watcher> (*watch)(const Recording& recording, const TreeProcess& process, Rows& rows);
  /// In place of `watch`, of a lens whose findings need more than one process at a time.
  std::unique_ptr<Inquiry> (*inquire)(const Recording& recording, Rows& rows) = nullptr;
  /// What its Watchers have noted. A replay notes one thing: lenses that differ in it are given two replays.
  machine::Notes notes = machine::Notes::nothing;
  /// A lens whose tables are there before this one looks, and may be read (Rows::read); null: none is needed.
  const Lens* needs = nullptr;
};

/// All there are, in the order of the documentation.
std::span<const Lens* const> all_lenses();

}  // namespace orrery::lens
