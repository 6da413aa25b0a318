// A size over time, drawn in one line.
#pragma once

#include <utility>
#include <vector>

#include "base/types.h"

namespace orrery::cli {

inline constexpr std::size_t kTimelineColumns = 60;

/// `steps`: times in ns, in their order, and the size from each on; two of different times or more. The
/// largest size in each part of the time between the first and the last.
std::vector<i64> most_by_column(const std::vector<std::pair<i64, i64>>& steps);

}  // namespace orrery::cli
