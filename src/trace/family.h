// How a process of the guest that was forked gets a ring of its own. While recording the other side is the
// writer process, while replaying it is `orrery replay`.
//
// All engines of a machine inherit one SOCK_SEQPACKET socket. A new process makes a pair of sockets, sends
// one end with a FamilyRequest over the inherited one, and receives a FamilyReply with the memfd of a ring
// over its own end. That end of the pair stays open as long as the process lives: its hang-up tells the other
// side that the process is gone, however it ended. In a replay there come with the ring a pipe that hangs up
// when the other side is gone, and perhaps a socket for questions (machine/control.h); and a process that
// replays sends a FamilyEnd before it goes.
#pragma once

#include "base/types.h"

namespace orrery::trace {

inline constexpr u32 kFamilyVersion = 1;

struct FamilyRequest {
  u32 version = kFamilyVersion;
  u32 process = 0;  ///< the number of the process in the recording; the first one of a recording is 0
  i32 pid = 0;      ///< of the process that asks, as the host names it
  /// 1 + the number of a kept file, which is asked for instead of a ring. In a replay: the memfd that all
  /// processes take for that file. While recording: the kept copy, of the file whose descriptor comes along,
  /// by a process that has given up the rights to make one itself, or that asks for it again. A copy that was
  /// not made for such a question is nobody's.
  u32 kept_file = 0;
};

struct FamilyReply {
  u32 error = 0;  ///< an errno, and then no ring comes with it. ECANCELED: this process is not wanted
};

struct FamilyEnd {
  i32 status = 0;  ///< engine/doors.h, ReplayStatus
};

/// A file that processes of a machine have mapped shared and may write (host/shared_files.h).
struct SharedFile {
  u64 device = 0, inode = 0, born_ns = 0;  ///< which file it is
  u32 users = 0;                           ///< processes that know it; 0: this entry is free
  i32 alone = 0;        ///< host pid of the one that mapped it first and does not take turns yet; 0: all do
  u32 kept = 0;         ///< whether what follows is known
  u32 file_number = 0;  ///< the kept copy, as it was when the file was first mapped
  u64 size_bytes = 0, mtime_ns = 0;  ///< of the copy
};
inline constexpr u32 kSharedFilesMost = 512;
inline constexpr u32 kMachineFilesMost = 4096;

/// What all processes of a recorded machine share (a memfd).
struct MachinePage {
  u32 version = kFamilyVersion;
  u32 next_process = 1;      ///< number of the next process; taken by atomic addition
  u32 next_file_number = 0;  ///< of the next kept file, likewise

  // Processes that share memory run one at a time (host/turns.h).
  alignas(64) i32 turn_holder = 0;  ///< a futex: host pid of the process whose turn it is; 0: nobody's
  u32 turn_waiters = 0;             ///< how many sleep on it
  u32 turn_count = 0;               ///< turns taken so far

  u32 machine_files_made = 0;
  u64 machine_files[kMachineFilesMost] = {};  ///< the files that were vouched for last, in turn; 0: none
  u32 files_end = 0;                          ///< entries from there on were never used
  u32 files_used = 0;                         ///< entries that have users
  SharedFile files[kSharedFilesMost];         ///< entries are made by whoever has the turn
};
inline constexpr u64 kMachinePageBytes = page_ceil(sizeof(MachinePage));

/// How far one process of a replay has come. ~0: there is nothing more of it to come.
struct ReplayProgress {
  u64 next_ns = 0;    ///< recorded time of its next event, or earlier; 0: it has not begun
  u64 shared_ns = 0;  ///< what it does to shared memory from now on has this time, or later
};

/// What engines that replay a machine together share (a memfd), so that what they do to each other and to the
/// outside happens in the order in which it did. A process stands in it before its parent's moves on.
struct ReplayOrder {
  u32 version = kFamilyVersion;
  u32 process_count = 0;  ///< how many there can be
  u32 processes_begun = 1;
  u32 reserved = 0;
  ReplayProgress progress[1] = {};  ///< by process number, `process_count` of them

  static constexpr u64 bytes_for(u64 processes) {
    return sizeof(ReplayOrder) + processes * sizeof(ReplayProgress);
  }
};
inline constexpr u64 kReplayProcessesMost = 1 << 22;  // Linux's PID_MAX_LIMIT

/// What the engine of a new process asks for; implemented over the sockets by the machine.
class Family {
 public:
  /// A number for a process about to be made; in its parent.
  virtual u32 new_process() = 0;
  /// A number for a kept file.
  virtual u32 new_file() = 0;
  /// Leaves the ring that was the parent's and joins one for `process`. False: there is none to be had.
  virtual bool join(u32 process) = 0;
  /// While recording: has others keep the file behind the descriptor, or finds the copy that they made of it
  /// under this number, and returns an engine's descriptor of it. -1: nobody could.
  virtual int keep_file(int /*guest_fd*/, u32 /*file_number*/) { return -1; }
  /// In a replay: a memfd with what the kept file held, the same for all processes. -1: there is none.
  virtual int shared_file(u32 /*file_number*/) { return -1; }

 protected:
  ~Family() = default;
};

}  // namespace orrery::trace
