// The guest addresses before which a run stops. They are asked about for every instruction that is
// translated and changed rarely, so they are kept sorted.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/types.h"

namespace orrery::translate {

class Breakpoints {
 public:
  bool empty() const { return addresses_.empty(); }
  u64 size() const { return addresses_.size(); }
  const std::vector<u64>& addresses() const { return addresses_; }

  /// The least one from `pc` on; ~0 if there is none.
  u64 at_or_above(u64 pc) const {
    const auto found = std::lower_bound(addresses_.begin(), addresses_.end(), pc);
    return found == addresses_.end() ? ~u64{0} : *found;
  }
  bool contains(u64 pc) const { return at_or_above(pc) == pc && !empty(); }

  /// Both return those by which the set has changed, sorted.
  std::vector<u64> add(std::span<const u64> wanted) {
    std::vector<u64> added;
    for (const u64 address : wanted)
      if (!contains(address)) added.push_back(address);
    sort(added);
    addresses_.insert(addresses_.end(), added.begin(), added.end());
    sort(addresses_);
    return added;
  }
  std::vector<u64> remove(std::span<const u64> unwanted) {
    std::vector<u64> removed;
    for (const u64 address : unwanted)
      if (contains(address)) removed.push_back(address);
    sort(removed);
    std::erase_if(addresses_,
                  [&](u64 address) { return std::binary_search(removed.begin(), removed.end(), address); });
    return removed;
  }

 private:
  static void sort(std::vector<u64>& addresses) {
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  }

  std::vector<u64> addresses_;
};

}  // namespace orrery::translate
