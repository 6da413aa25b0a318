// A place between two events, named by counting: ticks (calls, returns, jumps back and indirect jumps) behind
// an event, then instructions.
#pragma once

#include "lens/instants.h"

namespace orrery::lens {

/// Executes one instruction of the current task. Fails at a system call, and where a signal or another task
/// comes between.
Fallible<Nothing> step(ReplaySession& session);

/// Walks the session's process there. Fails if the next event comes first, and says after how much.
Fallible<ExactInstant> find_place(const Recording& recording, u32 process, ReplaySession& session,
                                  const InstantWord& word);

}  // namespace orrery::lens
