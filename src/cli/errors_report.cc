#include "cli/errors_report.h"

#include <algorithm>
#include <array>
#include <set>

namespace orrery::cli {

using lens::errors::LeakRow;
using lens::errors::MemoryErrorRow;

namespace {

int rank_of(const std::string& kind) {
  static constexpr std::array kKinds = {"definite", "indirect", "possible", "reachable"};
  return static_cast<int>(std::find(kKinds.begin(), kKinds.end(), kind) - kKinds.begin());
}

std::vector<LeakSite> sites_of(const std::vector<LeakRow>& leaks) {
  using Key = std::tuple<u32, u32, std::string, std::string, std::string, u32>;
  std::map<Key, LeakSite> sites;
  for (const LeakRow& leak : leaks) {
    LeakSite& site = sites[{leak.process, leak.program, leak.kind, leak.function.value_or(""),
                            leak.file.value_or(leak.object.value_or("")), leak.line.value_or(0)}];
    if (site.blocks == 0 || leak.size_bytes > site.first.size_bytes) site.first = leak;
    ++site.blocks;
    site.bytes += leak.size_bytes;
  }
  std::vector<LeakSite> sorted;
  for (const auto& [key, site] : sites) sorted.push_back(site);
  std::stable_sort(sorted.begin(), sorted.end(), [](const LeakSite& a, const LeakSite& b) {
    const int rank_a = rank_of(a.first.kind), rank_b = rank_of(b.first.kind);
    return rank_a != rank_b ? rank_a < rank_b : a.bytes > b.bytes;
  });
  return sorted;
}

}  // namespace

const lens::StackFact* ErrorsReport::stack_at(const RunPlace& place) const {
  const auto found = stacks.find(place);
  return found == stacks.end() ? nullptr : &found->second;
}

RunPlace place_of(const MemoryErrorRow& row) { return {row.process, row.event, row.task, row.ticks, row.pc}; }
RunPlace made_place(const MemoryErrorRow& row) {
  return {row.process, row.made_event.value_or(0), row.made_task.value_or(0), row.made_ticks.value_or(0),
          row.made_pc.value_or(0)};
}
RunPlace gone_place(const MemoryErrorRow& row) {
  return {row.process, row.gone_event.value_or(0), row.gone_task.value_or(0), row.gone_ticks.value_or(0),
          row.gone_pc.value_or(0)};
}
RunPlace place_of(const LeakRow& row) { return {row.process, row.event, row.task, row.ticks, row.pc}; }

namespace {

/// Those that were looked for before, numbered on from the others of their programs.
void add_undefined(db::Database& database, const std::string& where, ErrorsReport& report) {
  auto found = database.read(lens::errors::kUndefinedValue, where + ", number");
  if (!found) return;
  std::map<std::pair<u32, u32>, u32> numbers;
  for (const MemoryErrorRow& each : report.errors) ++numbers[{each.process, each.program}];
  for (MemoryErrorRow each : found.value()) {
    each.number = ++numbers[{each.process, each.program}];
    report.errors.push_back(std::move(each));
  }
}

}  // namespace

Fallible<ErrorsReport> read_errors(const std::string& directory, const std::string& condition,
                                   std::size_t stacks_most, Sought sought) {
  ErrorsReport report;
  db::Database database = TRY(collect(directory, {{lens_of_table("memory_error")}}));
  const std::string where = "WHERE " + condition + " ORDER BY process, program";
  report.programs = TRY(database.read(lens::errors::kChecked, where));
  report.errors = TRY(database.read(lens::errors::kMemoryError, where + ", number"));
  if (sought == Sought::undefined_too) add_undefined(database, where, report);
  report.leaks = TRY(database.read(lens::errors::kLeak, where + ", address"));
  report.sites = sites_of(report.leaks);
  std::set<RunPlace> places;
  for (std::size_t at = 0; at < std::min(stacks_most, report.errors.size()); ++at) {
    const MemoryErrorRow& error = report.errors[at];
    places.insert(place_of(error));
    if (error.made_pc) places.insert(made_place(error));
    if (error.gone_pc) places.insert(gone_place(error));
  }
  std::size_t shown = 0;
  for (const LeakSite& site : report.sites)
    if (site.first.kind != "reachable" && shown++ < stacks_most) places.insert(place_of(site.first));
  TRY(read_stacks(directory, places, report.stacks));
  return report;
}

}  // namespace orrery::cli
