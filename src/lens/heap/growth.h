// The system calls by which allocators got memory of the kernel and gave it back: those made within one of
// their functions, and those of an allocator's own library, which may ask before anybody calls it.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "lens/heap/heap_tracker.h"
#include "lens/heap/held_memory.h"
#include "lens/lens.h"

namespace orrery::lens::heap {

class Growth {
 public:
  Growth(u32 process, u32 program, Rows& rows) : process_(process), program_(program), rows_(rows) {}

  /// What the process has from before its fork.
  void inherit(const HeldMemory& held, const Instant& now) {
    held_ = held;
    held_.begin_anew(now);
  }
  const HeldMemory& held() const { return held_; }
  /// A file with allocator functions has been mapped.
  void note_file(const FileFunctions& file);
  /// A system call has returned; the session stands behind it.
  void note(ReplaySession& session, const WalkedCall& walked, HeapTracker& tracker);

  /// The program has ended.
  void finish();
  /// Calls of allocator functions that asked the kernel.
  const std::set<CallTree::Node>& nodes() const { return nodes_; }

 private:
  void add_piece(const HeldMemory::Piece& piece, const Instant* end);
  bool is_in_library(ReplaySession& session) const;

  u32 process_, program_;
  Rows& rows_;
  HeldMemory held_;
  std::vector<std::pair<u64, u64>> libraries_;  ///< of allocators and nothing else: where they are mapped
  std::set<CallTree::Node> nodes_;
  u64 count_ = 0;
};

}  // namespace orrery::lens::heap
