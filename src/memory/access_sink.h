// Who wants to know what the engine does to guest memory in the program's place, and which pages come and go:
// a replay that is asked about memory accesses. Nobody else has one.
#pragma once

#include "base/types.h"

namespace orrery::memory {

class AccessSink {
 public:
  /// The engine has read or written for a system call, a signal's frame or a gated instruction.
  virtual void accessed(u64 address, u64 size_bytes, bool writes) = 0;
  /// What lay there is not there any more.
  virtual void pages_gone(u64 address, u64 size_bytes) = 0;
  virtual void pages_moved(u64 from, u64 from_bytes, u64 to) = 0;
  /// A child is about to be given all pages too: who writes one from now on is given a copy.
  virtual void pages_lent() = 0;

 protected:
  ~AccessSink() = default;
};

}  // namespace orrery::memory
