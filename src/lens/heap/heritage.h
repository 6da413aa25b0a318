// What forked processes have of their parents' heaps, from the fork until they begin. A child begins on a
// thread of its own, when its parent may already have gone on.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "lens/heap/heap_tracker.h"
#include "lens/heap/held_memory.h"
#include "lens/process_tree.h"

namespace orrery::lens::heap {

struct Heritage {
  u32 process = 0, program = 0;  ///< of the parent
  std::unique_ptr<const HeapTracker::Inheritance> blocks{};
  HeldMemory held{};
};

/// All processes of a replay share it.
class Heritages {
 public:
  /// Before the fork: the parent's event is what the child knows it by.
  void leave(u64 event, std::shared_ptr<const Heritage> heritage) {
    const std::lock_guard lock(mutex_);
    const u32 parent = heritage->process;
    left_[{parent, event}] = std::move(heritage);
  }
  /// Null if the parent left nothing: they share their memory (vfork), or it was not asked.
  std::shared_ptr<const Heritage> take(const TreeProcess& child) {
    if (!child.parent || !child.fork_event) return nullptr;
    const std::lock_guard lock(mutex_);
    auto found = left_.extract({*child.parent, *child.fork_event});
    return found.empty() ? nullptr : std::move(found.mapped());
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<u32, u64>, std::shared_ptr<const Heritage>> left_;
};

}  // namespace orrery::lens::heap
