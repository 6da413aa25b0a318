// Looks at a process where its time went: at calls that took long, and at moments while it ran.
#pragma once

#include <vector>

#include "lens/replay_session.h"
#include "lens/why/slowness.h"

namespace orrery::lens::why {

/// Parts of the session's process, in the order of time; `image`: its main program. Those that the replay
/// does not come by are left out.
Result<std::vector<Sight>> see_parts(ReplaySession& session, const std::string& image,
                                     const std::vector<TimePart>& parts);

}  // namespace orrery::lens::why
