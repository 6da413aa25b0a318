// What forked processes have of their parents' heaps.
#pragma once

#include <memory>

#include "lens/heap/heap_tracker.h"
#include "lens/heap/held_memory.h"
#include "lens/heritages.h"

namespace orrery::lens::heap {

struct Heritage {
  u32 process = 0, program = 0;  ///< of the parent
  std::unique_ptr<const HeapTracker::Inheritance> blocks{};
  HeldMemory held{};
};

using Heritages = lens::Heritages<const Heritage>;

}  // namespace orrery::lens::heap
