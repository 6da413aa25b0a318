// How deep the stack of each task went: the lowest byte of it that was ever written, and where that was done.
// It is found from all memory accesses of a replay, so it is what a program sees that fills its stack with a
// pattern and looks how much of it is left.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "lens/instants.h"

namespace orrery::lens {

/// One stack of a task over a span of the run.
struct DeepestPoint {
  i32 task = 0;
  u32 program = 0;            ///< counts the programs that the process ran in the span
  bool is_alternate = false;  ///< of sigaltstack(2)
  u64 start = 0;              ///< the lowest address that it may reach
  u64 top = 0;                ///< where it begins, at the highest address
  u64 lowest = 0;             ///< that was written
  u64 pc = 0;                 ///< the instruction that wrote it, for the first time; 0: the kernel did
  u64 event = 0, ticks = 0;   ///< its instant

  u64 bytes() const { return top - lowest; }
};

/// From where the session stands up to `to`, or to the process's end; nothing may have been noted before.
/// Stacks that a program makes by itself (makecontext, goroutines) are not known as such. In the order of
/// their instants.
Fallible<std::vector<DeepestPoint>> find_deepest(ReplaySession& session,
                                                 const std::optional<ExactInstant>& to);

/// One call on the way there.
struct DeepFrame {
  u64 pc = 0;
  std::string function{};  ///< "" if unknown
  std::string image{};
  elf::SourceLine source{};
  bool signal_frame = false;
  std::optional<u64> bytes{};  ///< of the stack, with its return address; nothing where there is no CFI
};

/// The calls of the task that stands there, innermost first. Inlined functions are part of theirs.
std::vector<DeepFrame> deep_frames(ReplaySession& session, i32 task);

}  // namespace orrery::lens
