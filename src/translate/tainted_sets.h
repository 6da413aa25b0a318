// The sets of undefined registers that there is code for, by the number of that code.
#pragma once

#include <vector>

#include "base/hash_map.h"
#include "translate/block.h"
#include "translate/tainted_targets.h"

namespace orrery::translate {

class TaintedSets {
 public:
  /// Of RegisterName::bit(); kNoCode if there is none yet.
  CodeKind find(u64 tainted) const {
    if (tainted == 0) return kOrdinaryCode;
    const CodeKind* const found = kinds_.find(tainted);
    return found != nullptr ? *found : kNoCode;
  }
  /// kNoCode if there are too many.
  CodeKind find_or_add(u64 tainted) {
    const CodeKind found = find(tainted);
    if (found != kNoCode || sets_.size() == kMost) return found;
    const CodeKind kind = static_cast<CodeKind>(kFirstTainted + sets_.size());
    sets_.push_back(tainted);
    return kinds_[tainted] = kind;
  }
  u64 of(CodeKind kind) const { return kind < kFirstTainted ? 0 : sets_[kind - kFirstTainted]; }
  void clear() {
    sets_.clear();
    kinds_.clear();
  }

 private:
  static constexpr std::size_t kMost = TaintedTargets::kKindsMost;
  std::vector<u64> sets_;
  HashMap<CodeKind> kinds_;
};

}  // namespace orrery::translate
