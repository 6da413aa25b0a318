// What forked processes have of their parents, from the fork until they begin. A child begins on a thread of
// its own, when its parent may already have gone on.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "lens/process_tree.h"

namespace orrery::lens {

/// All processes of a replay share it.
template <class Heritage>
class Heritages {
 public:
  /// Before the fork: the parent's event is what the child knows it by.
  void leave(u32 parent, u64 event, std::shared_ptr<Heritage> heritage) {
    const std::lock_guard lock(mutex_);
    left_[{parent, event}] = std::move(heritage);
  }
  /// Null if the parent left nothing: they share their memory (vfork), or it was not asked.
  std::shared_ptr<Heritage> take(const TreeProcess& child) {
    if (!child.parent || !child.fork_event) return nullptr;
    const std::lock_guard lock(mutex_);
    auto found = left_.extract({*child.parent, *child.fork_event});
    return found.empty() ? nullptr : std::move(found.mapped());
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<u32, u64>, std::shared_ptr<Heritage>> left_;
};

}  // namespace orrery::lens
