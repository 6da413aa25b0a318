// `orrery show heap --growth`: what the allocators got of the kernel over time, beside what was live of it.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "cli/heap_report.h"
#include "cli/layer_options.h"
#include "cli/style.h"

namespace orrery::cli {

/// Of one program, up to the instant if there is one.
struct HeapGrowth {
  const HeapReport* report;
  std::vector<lens::heap::GrowthRow> rows{};

  i64 mapped_most() const;
  i64 usable_most() const;
};

/// `reports` outlive it.
Fallible<std::vector<HeapGrowth>> read_growth(db::Database& database, const LayerOptions& options,
                                              const std::vector<HeapReport>& reports);

nlohmann::ordered_json growth_json(const HeapGrowth& growth);
void print_growth(const HeapGrowth& growth, bool all, const Style& style);

}  // namespace orrery::cli
