// Where indirect jumps and returns go while registers are undefined: a table that emitted code looks into, of
// targets for each CodeKind from kFirstTainted on. (The shadow code table of indirect.h, which has an entry
// for each byte of code, would need one for each kind.)
//
// With the target t in rax an entry is found at the low 16 bits of t, plus a number that is the kind's and
// the variant's alone. So two targets that meet in an entry and are of different kinds differ in those bits,
// and it is enough to compare the target: its entry holds -t, and jrcxz compares a sum with zero without
// touching the flags. An empty one, which holds 0, leads out of the code as cell 0 does, should ever t be 0.
#pragma once

#include <algorithm>
#include <vector>

#include "translate/block.h"

namespace orrery::translate {

struct TaintedTarget {
  u64 negated_pc = 0;
  u64 host = 0;
};

class TaintedTargets {
 public:
  static constexpr u32 kKindsMost = 8192;  ///< from kFirstTainted on

  /// Empties it. `miss` is where an empty entry leads.
  void clear(u64 miss) {
    miss_ = miss;
    entries_.resize(kEntries);
    std::fill(entries_.begin(), entries_.end(), TaintedTarget{0, miss});
  }
  bool is_made() const { return !entries_.empty(); }

  /// The entry of what has its low 16 bits zero; that of `t` lies so many entries behind it. It stays there.
  const TaintedTarget* first(CodeKind kind, Variant variant) const {
    return entries_.data() + kKinds * (kind - kFirstTainted) + static_cast<u32>(variant);
  }
  void set(u64 pc, CodeKind kind, Variant variant, u64 host) { entry(pc, kind, variant) = {0 - pc, host}; }
  /// If it leads to `host`.
  void remove(u64 pc, CodeKind kind, Variant variant, u64 host) {
    TaintedTarget& found = entry(pc, kind, variant);
    if (found.host == host) found = {0, miss_};
  }

 private:
  static constexpr u32 kKinds = 2;  ///< variants of each
  static constexpr u32 kEntries = 0x10000 + kKinds * kKindsMost;
  TaintedTarget& entry(u64 pc, CodeKind kind, Variant variant) {
    return const_cast<TaintedTarget*>(first(kind, variant))[pc & 0xffff];
  }
  std::vector<TaintedTarget> entries_;
  u64 miss_ = 0;
};

}  // namespace orrery::translate
