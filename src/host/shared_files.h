// Files that several processes of a recorded machine have mapped shared and may write: PostgreSQL's segments
// in /dev/shm, SQLite's -shm files. They are told by a table in the page that all processes share
// (trace::MachinePage). Whoever maps one that another has must take turns with it from then on (design.md,
// invariant 2), and shows the same kept copy in a replay.
//
// The first one runs freely until a second comes by: that one sends it a signal (kMemoryShared), and its mmap
// goes on when the first has taken it. So a process that maps a file which nobody else wants (a JVM's
// counters) takes no turns. As long as there is any such file, each call that may change a file looks which.
#pragma once

#include <vector>

#include "base/types.h"
#include "trace/family.h"

namespace orrery::host {

class SharedFiles {
 public:
  /// Without a page there are no others: nothing is recorded. `fd_least`: where engine descriptors may lie.
  void use(trace::MachinePage* page, int fd_least) {
    page_ = page;
    fd_least_ = fd_least;
  }

  /// The entry of the file behind the descriptor, for a process that has its turn: one that others made, or,
  /// if the process may write the file, a new one. This process counts as its user from now on. Null if there
  /// is neither, or no room.
  trace::SharedFile* enter(int fd, bool writable);
  /// Which entry this process has for the file; null if none.
  trace::SharedFile* find(int fd) const;
  /// Whether anybody has an entry for any file.
  bool any() const { return page_ != nullptr && __atomic_load_n(&page_->files_used, __ATOMIC_ACQUIRE) != 0; }
  /// Until whoever entered the file first has kept it. False: it did not.
  bool wait_until_kept(const trace::SharedFile& file) const;
  /// Which entry anybody has for the file; null if nobody. `path` is relative to `directory`; empty:
  /// `directory` is the file.
  const trace::SharedFile* look_up(int directory, const char* path) const;
  /// Whether this process counts as a user of the file.
  bool has_entered(const trace::SharedFile& file) const;
  /// Whether this process mapped the file first, and no other has come by.
  static bool is_first(const trace::SharedFile& file);

  /// This process, which has its turn, has nothing mapped of the file any more. If nobody else has, the table
  /// forgets the file, or of one with a name what was kept of it: it may be mapped by its name again.
  void leave_unmapped(int fd);

  void vouch_for(int fd) const;
  /// Whether the file is one that the machine has vouched for, or a file that some process has entered.
  bool is_machines(int fd) const;

  /// Until all who use the file take turns. Not while having the turn: who does not yet may want it.
  void wait_for_others(trace::SharedFile& file) const;
  /// Whether the signal was sent by wait_for_others() of a process of this machine.
  static bool is_call_to_share(int number, const void* siginfo);
  /// This process takes turns from now on.
  void acknowledge() const;

  /// Before and after this process makes another, which uses what this one does.
  void begin_fork() const;
  void fork_failed() const { leave_all(); }
  /// The process has become another program, or ends.
  void leave();

 private:
  struct Identity {
    u64 device = 0, inode = 0, born_ns = 0;
    bool has_name = true, is_regular = false;
  };
  static u64 key_of(const Identity& identity);
  bool is_vouched_for(u64 key) const;
  static bool identify(int directory, const char* path, Identity& identity);
  trace::SharedFile* look_up(const Identity& identity) const;
  static bool is(const trace::SharedFile& file, const Identity& identity);
  static bool join_users(trace::SharedFile& file);
  void leave(trace::SharedFile& file) const;
  void leave_all() const;

  trace::MachinePage* page_ = nullptr;
  int fd_least_ = 0;
  std::vector<u32> entered_;  ///< indices in the table
};

}  // namespace orrery::host
