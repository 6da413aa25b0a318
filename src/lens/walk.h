// The way through one process of a replay, from its first instruction to its end, that all lenses go
// together.
#pragma once

#include <functional>

#include "lens/lens.h"

namespace orrery::lens {

/// Called now and then with the number of the process's next event.
using WalkProgress = std::function<void(u64 event)>;

/// Goes with the session to the end of the process and lets it end there. Fails if the replay differs from
/// the recording or is gone.
Status walk_process(const Recording& recording, u32 process, ReplaySession& session,
                    std::span<const std::unique_ptr<Watcher>> watchers, const WalkProgress& progress);

}  // namespace orrery::lens
