// The nth call of a function, looked for in a replay of one process. A call is whenever a task gets to the
// function's first instruction, as gdb counts for a breakpoint: by a call, a jump at another function's end,
// or a loop to there.
#pragma once

#include <functional>
#include <string>

#include "lens/instants.h"

namespace orrery::lens {

/// Walks the session's process to that call; it stands there then. Fails if there is none, and says how many
/// there were, or which function may have been meant.
Fallible<ExactInstant> find_call(const Recording& recording, u32 process, ReplaySession& session,
                                 const std::string& function, u64 nth,
                                 const std::function<void(u64 event)>& progress);

}  // namespace orrery::lens
