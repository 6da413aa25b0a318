// The functions whose entries are noted, and what is wanted of each (call_stream.h).
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/hash_map.h"
#include "translate/breakpoints.h"
#include "translate/call_stream.h"

namespace orrery::translate {

class WatchedFunctions {
 public:
  const Breakpoints& places() const { return places_; }
  bool contains(u64 pc) const { return places_.contains(pc); }
  /// Of one that is watched.
  WatchedFunction at(u64 pc) const { return {*words_.find(pc)}; }

  /// `words`: those of WatchedFunction. Of one that is watched already more may be wanted. Returns the
  /// addresses of all whose entries are to be noted otherwise now.
  std::vector<u64> add(std::span<const u64> words) {
    std::vector<u64> changed;
    for (const u64 word : words) {
      const WatchedFunction asked{word};
      u64& known = words_[asked.address()];
      const u64 joined = known == 0 ? word : join({known}, asked).word;
      if (joined != known) changed.push_back(asked.address());
      known = joined;
    }
    places_.add(changed);
    return changed;
  }
  /// Returns the addresses of all there were.
  std::vector<u64> remove_all() {
    words_.clear();
    return places_.remove(std::vector<u64>(places_.addresses()));
  }

 private:
  static WatchedFunction join(WatchedFunction left, WatchedFunction right) {
    return WatchedFunction::of(left.address(), std::max(left.arguments(), right.arguments()),
                               left.returns() || right.returns());
  }

  Breakpoints places_;
  HashMap<u64> words_;  ///< by address
};

}  // namespace orrery::translate
