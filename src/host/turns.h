// Processes that share memory run one at a time (design.md, invariant 2): a lock in the page that all
// processes of a recorded machine share. Who was killed while it was its turn does not keep the others: they
// look after the holder when they have waited for some time.
#pragma once

#include "base/types.h"
#include "trace/family.h"

namespace orrery::host {

/// Whether a process of the host is gone, or a zombie. `fd_least`: where the engine's descriptors may lie.
bool has_ended(i32 pid, int fd_least);

class Turns {
 public:
  /// Without a page there are no turns to be taken: nothing is recorded.
  void use(trace::MachinePage* page) { page_ = page; }

  /// Sleeps until it is this process's turn. `fd_least`: where the engine's descriptors may lie.
  void take(int fd_least);
  void give();
  bool holds() const { return holds_; }
  /// Whether others wait for the turn that this process has.
  bool is_wanted() const { return holds_ && __atomic_load_n(&page_->turn_waiters, __ATOMIC_RELAXED) != 0; }
  /// In a forked child: the turn is its parent's.
  void begin_process() { holds_ = false; }

 private:
  bool try_take(i32 self);
  void let_others_go_first();
  void look_after(i32 holder, int fd_least);

  trace::MachinePage* page_ = nullptr;
  bool holds_ = false;
  u32 last_turn_ = 0;
};

}  // namespace orrery::host
