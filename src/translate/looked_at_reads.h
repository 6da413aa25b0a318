// Instructions that were found to read what is undefined again and again: the engine looks at their memory
// before they are executed, which costs less than a fault of their test in the host (some 4 us), and more
// than a test that finds nothing.
#pragma once

#include "base/hash_map.h"
#include "translate/breakpoints.h"

namespace orrery::translate {

class LookedAtReads {
 public:
  const Breakpoints& places() const { return places_; }
  void clear() { *this = {}; }

  /// What an instruction reads was undefined, or not. Returns whether it is to be looked at from now on, or
  /// no more, so that its code must change.
  bool note(u64 pc, bool undefined) {
    Reads& reads = reads_[pc];
    ++(undefined ? reads.undefined : reads.defined);
    if (reads.given_up) return false;
    if (!places_.contains(pc)) return reads.undefined >= kUndefinedLeast && !places_.add({&pc, 1}).empty();
    reads.given_up = reads.defined > kDefinedMost * reads.undefined;
    return reads.given_up && !places_.remove({&pc, 1}).empty();
  }

 private:
  /// How many looks a fault costs.
  static constexpr u64 kDefinedMost = 24;
  static constexpr u64 kUndefinedLeast = 8;
  struct Reads {
    u64 undefined = 0, defined = 0;
    bool given_up = false;
  };
  HashMap<Reads> reads_;  ///< by pc
  Breakpoints places_;
};

}  // namespace orrery::translate
