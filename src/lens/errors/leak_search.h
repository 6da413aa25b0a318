// Which blocks a program could still have given back when it ended: those that pointers lead to, from its
// registers, stacks and data, by way of other blocks. As Memcheck has it (manual, 4.2.8), any word that has
// the value of an address counts as a pointer.
#pragma once

#include <vector>

#include "lens/errors/heap_blocks.h"
#include "lens/errors/heap_shadow.h"
#include "lens/replay_session.h"

namespace orrery::lens::errors {

enum class LeakKind : u8 {
  reachable,  ///< a pointer to its beginning is there
  possible,   ///< only pointers into its midst lead there
  indirect,   ///< only blocks that are lost themselves lead there
  definite,   ///< nothing does
};

struct Leak {
  HeapBlock block{};
  LeakKind kind = LeakKind::definite;
};

/// Memory whose words are not all pointers of the program's.
struct OddMemory {
  /// Files that define allocators. What they keep themselves points between blocks, which may be into the end
  /// of one (glibc's chunks overlap), so that of theirs only pointers to beginnings count.
  std::vector<memory::layout::Range> allocators{};
  /// Stacks of threads; that of one that has ended may still be there, kept for the next.
  std::vector<memory::layout::Range> stacks{};
};

/// Of the blocks that are live where the session stands; by address.
std::vector<Leak> find_leaks(ReplaySession& session, const HeapBlocks& blocks, const HeapShadow& shadow,
                             const OddMemory& odd);

}  // namespace orrery::lens::errors
