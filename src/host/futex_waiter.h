// How the engine's end of a ring sleeps and wakes, without libc.
#pragma once

#include "trace/ring.h"

namespace orrery::host {

class RawFutexWaiter final : public trace::Waiter {
 public:
  void wait(const u32* word, u32 expected, u64 timeout_ns) override;
  void wake(u32* word) override;
};

}  // namespace orrery::host
