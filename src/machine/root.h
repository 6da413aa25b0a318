// The engine's root: from the one fixed address to everything else. Host signal handlers start here;
// there are no mutable globals (design.md, invariant 9).
#pragma once

#include "base/types.h"
#include "memory/layout.h"

namespace orrery {
class Heap;
namespace host {
class LiveHost;
}
namespace translate {
class Translator;
}
}  // namespace orrery

namespace orrery::machine {

class Machine;

/// A run of single steps in emitted code, towards the start of the next block (host_signals.cc).
struct Stepping {
  bool active = false;
  bool pushes_flags = false;  ///< the instruction being stepped stores the flags on the stack
  u64 planted_at = 0;         ///< host address of a planted int3, 0 if none
  u8 planted_over = 0;        ///< the byte it stands on
};

struct Root {
  int first_fd = -1;   ///< machine/launch.h, EngineFd
  u64 heap_pages = 0;  ///< storage of the EngineHeapPages object (it has no state)
  Heap* heap = nullptr;
  Machine* machine = nullptr;
  translate::Translator* translator = nullptr;
  host::LiveHost* live = nullptr;  ///< where signals from outside are queued; null on replay
  Stepping stepping;
};

inline Root& root() { return *reinterpret_cast<Root*>(memory::layout::kEngineState.start + 0x1000); }

}  // namespace orrery::machine
