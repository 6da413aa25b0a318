#include "cli/timeline.h"

#include <algorithm>

namespace orrery::cli {

std::vector<i64> most_by_column(const std::vector<std::pair<i64, i64>>& steps) {
  const i64 first = steps.front().first, span = steps.back().first - first;
  std::vector<i64> most(kTimelineColumns, 0);
  std::size_t next = 0;
  i64 now = 0;
  for (std::size_t column = 0; column < kTimelineColumns; ++column) {
    most[column] = now;
    const i64 until = first + span * static_cast<i64>(column + 1) / static_cast<i64>(kTimelineColumns);
    for (; next < steps.size() && steps[next].first <= until; ++next)
      most[column] = std::max(most[column], now = steps[next].second);
  }
  return most;
}

}  // namespace orrery::cli
