// Which process of a recording has the answer: the first one may have ended badly only because a child did.
#pragma once

#include <optional>
#include <vector>

#include "lens/process_tree.h"

namespace orrery::lens::why {

/// What is said of a process beside the one that is explained.
struct ProcessFact {
  u32 process = 0;
  i32 pid = 0;
  std::string command{};  ///< program and arguments
  std::string end{};      ///< lens::end_words()
};

/// Processes from `from` down to the one whose end explains how `from` ended; at least that one. The last
/// child to end is blamed if its parent then ended as it did: with the same status, or as shells tell of a
/// signal (128 + its number). One whose program was not recorded cannot be explained, and is left out.
std::vector<u32> trace_blame(const ProcessTree& tree, u32 from);

/// The child of `parent` that would be to blame if its program had been recorded.
std::optional<u32> find_blamed_native(const ProcessTree& tree, u32 parent);

/// Descendants of `from` that a signal of a crash killed (SIGSEGV, SIGABRT ...), in the order of their ends.
std::vector<u32> find_crashed(const ProcessTree& tree, u32 from);

ProcessFact fact_of(const TreeProcess& process);

}  // namespace orrery::lens::why
