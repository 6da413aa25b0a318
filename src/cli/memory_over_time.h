// How much memory of each meaning a process had, from its beginning to its end.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/layer_options.h"
#include "cli/style.h"
#include "db/database.h"

namespace orrery::cli {

struct MeaningOverTime {
  std::string meaning{};
  bool is_touched = false;  ///< of it, the pages that were touched; else all that was mapped
  i64 begin_bytes = 0, most_bytes = 0, end_bytes = 0;
  std::vector<i64> most_by_column{};  ///< the most in each part of the time (kTimelineColumns)
};

struct MemoryOverTime {
  i64 begin_ns = 0, end_ns = 0;
  std::vector<MeaningOverTime> meanings{};  ///< the largest first
};

/// Up to the instant of `options`, or to the process's end; with LayerOptions::pages also what was touched.
Fallible<MemoryOverTime> read_over_time(db::Database& database, const LayerOptions& options, i64 process);

void print_over_time(const MemoryOverTime& memory, const Style& style);
nlohmann::ordered_json over_time_json(const MemoryOverTime& memory);

}  // namespace orrery::cli
