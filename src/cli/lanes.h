// Threads as lanes of characters over time: what each did in each column.
#pragma once

#include <set>
#include <string>

#include "cli/sched_rows.h"
#include "cli/style.h"

namespace orrery::cli {

/// How much of a column is what.
class LanePainter {
 public:
  LanePainter(i64 from_ns, i64 to_ns, std::size_t columns, const Style& style)
      : from_ns_(from_ns), to_ns_(to_ns), columns_(columns), style_(style) {}

  std::string paint(const TaskLane& lane);
  /// "1.2 s ... 3.4 s" over the columns.
  std::string axis() const;
  /// What the characters mean that were used.
  std::string legend() const;

 private:
  struct Cell;
  std::string cell_text(const Cell& cell);

  i64 from_ns_, to_ns_;
  std::size_t columns_;
  const Style& style_;
  std::set<std::string> used_;
};

}  // namespace orrery::cli
