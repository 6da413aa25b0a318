// What the translator must know of memory: which pages it has translated code from, and which of
// those changed since it last looked. Memory announces, the translator asks; nobody calls up
// (design.md, seam 2).
#pragma once

#include <utility>
#include <vector>

#include "base/types.h"

namespace orrery::memory {

/// A guest range whose bytes or executability may have changed.
struct CodeChange {
  enum class Cause : u8 {
    bytes,    ///< it was stored into
    mapping,  ///< it was unmapped, mapped over, moved, or may not be executed any more
  };
  u64 start;
  u64 end;
  Cause cause;
};

class CodeWatch {
 public:
  /// Raised on every announced change; the translator compares it before it enters guest code.
  u64 version() const { return version_; }

  /// Announces that [start, end) may hold other code now.
  void announce(u64 start, u64 end, CodeChange::Cause cause) {
    ++version_;
    changes_.push_back({start, end, cause});
  }

  /// Hands over everything announced since the last call.
  std::vector<CodeChange> take() { return std::exchange(changes_, {}); }

 private:
  u64 version_ = 0;
  std::vector<CodeChange> changes_;
};

}  // namespace orrery::memory
