// Who may have ended a wait in another process: what was done to the other end of a pipe, to a shared futex,
// to a process, in the order of time.
#pragma once

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/types.h"

namespace orrery::lens::sched {

struct Act {
  u64 time_ns = 0;
  u32 process = 0;
  i32 task = 0;
  u64 event = 0, ticks = 0;
  u32 number = 0;  ///< the system call; kExit: none, it ended
};
inline constexpr u32 kExit = ~u32{0} - 1;

template <class Key>
class Acts {
 public:
  void add(Key key, const Act& act) { acts_[key].push_back(act); }
  void sort() {
    for (auto& [key, acts] : acts_)
      std::sort(acts.begin(), acts.end(),
                [](const Act& left, const Act& right) { return left.time_ns < right.time_ns; });
  }
  /// The last one in that time that is not of `not_of`.
  std::optional<Act> last(Key key, u64 from_ns, u64 to_ns, u32 not_of) const {
    const auto found = acts_.find(key);
    if (found == acts_.end()) return std::nullopt;
    const std::vector<Act>& acts = found->second;
    auto at = std::upper_bound(acts.begin(), acts.end(), to_ns,
                               [](u64 time_ns, const Act& act) { return time_ns < act.time_ns; });
    while (at != acts.begin()) {
      --at;
      if (at->time_ns < from_ns) return std::nullopt;
      if (at->process != not_of) return *at;
    }
    return std::nullopt;
  }

 private:
  std::unordered_map<Key, std::vector<Act>> acts_;
};

}  // namespace orrery::lens::sched
