// `orrery show stack --deepest`: how deep each task's stack went over the run or a span of it, and where.
#pragma once

#include "base/failure_hosted.h"
#include "cli/command.h"
#include "cli/layer_options.h"

namespace orrery::cli {

Fallible<Nothing> show_deepest(const LayerOptions& options, const Session& session);

}  // namespace orrery::cli
