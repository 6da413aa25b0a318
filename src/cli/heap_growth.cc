#include "cli/heap_growth.h"

#include <algorithm>
#include <cstdio>

#include "cli/heap_words.h"
#include "cli/recording_text.h"
#include "cli/timeline.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::heap::GrowthRow;

constexpr std::size_t kRowsShown = 40;

/// Several calls alike that follow each other.
struct Line {
  const GrowthRow* last;
  u64 count = 1;
  i64 mapped = 0, usable = 0;
  u64 dropped = 0;

  bool is_like(const GrowthRow& next) const {
    return next.call == last->call && next.task == last->task && next.function == last->function &&
           next.node == last->node;
  }
  void add(const GrowthRow& row) {
    mapped += row.mapped;
    usable += row.usable;
    dropped += row.dropped;
    last = &row;
  }
};

std::vector<Line> lines_of(const HeapGrowth& growth, bool all) {
  std::vector<Line> lines;
  for (const GrowthRow& row : growth.rows) {
    if (all || lines.empty() || !lines.back().is_like(row))
      lines.push_back({.last = &row});
    else
      ++lines.back().count;
    lines.back().add(row);
  }
  return lines;
}

std::string caller_of(const HeapGrowth& growth, const GrowthRow& row) {
  if (!row.function) return "the library itself";
  return *row.function + " < " + site_words(*growth.report, row.node.value_or(0));
}

/// "+132.0 kB", "-4.1 kB", or nothing.
std::string change_words(i64 bytes) {
  if (bytes == 0) return "";
  return (bytes < 0 ? "-" : "+") + human_bytes(static_cast<u64>(bytes < 0 ? -bytes : bytes));
}

void print_line(const HeapGrowth& growth, const Line& line, const Style& style) {
  const GrowthRow& row = *line.last;
  const std::string times = line.count > 1 ? std::to_string(line.count) + " x" : "";
  std::printf("%14s %8d %7s %-8s %11s %11s %11s  %10s %10s  %s\n",
              milliseconds(static_cast<double>(row.time_ns)).c_str(), row.task, times.c_str(),
              row.call.c_str(), change_words(line.mapped).c_str(), change_words(line.usable).c_str(),
              change_words(-static_cast<i64>(line.dropped)).c_str(),
              human_bytes(static_cast<u64>(row.usable_bytes)).c_str(), human_bytes(row.live_bytes).c_str(),
              style.dim(printable(caller_of(growth, row))).c_str());
}

void print_curve(const char* name, const std::vector<std::pair<i64, i64>>& steps, i64 high) {
  static constexpr const char* kLevels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::printf("  ");
  for (const i64 each : most_by_column(steps)) std::printf("%s", kLevels[(each * 8 + high - 1) / high]);
  std::printf("  %s\n", name);
}

/// What is held and what is live, on one scale.
void print_curves(const HeapGrowth& growth) {
  std::vector<std::pair<i64, i64>> held, live;
  for (const lens::heap::SampleRow& sample : growth.report->samples)
    live.emplace_back(static_cast<i64>(sample.time_ns), static_cast<i64>(sample.live_bytes));
  for (const GrowthRow& row : growth.rows)
    held.emplace_back(static_cast<i64>(row.time_ns), std::max<i64>(row.usable_bytes, 0));
  if (held.empty() || live.empty()) return;
  const i64 begin = std::min(held.front().first, live.front().first);
  const i64 end = std::max(held.back().first, live.back().first);
  if (begin == end) return;
  for (auto* curve : {&held, &live}) {
    if (curve->front().first > begin) curve->insert(curve->begin(), {begin, 0});
    if (curve->back().first < end) curve->emplace_back(end, curve->back().second);
  }
  const i64 high = std::max<i64>(1, growth.usable_most());
  std::printf("\n");
  print_curve(("held, up to " + human_bytes(static_cast<u64>(high))).c_str(), held, high);
  print_curve("live, as asked for", live, high);
  const std::string from = milliseconds(static_cast<double>(begin)),
                    to = milliseconds(static_cast<double>(end));
  std::printf("  %s%*s\n", from.c_str(), static_cast<int>(kTimelineColumns - from.size()), to.c_str());
}

void print_sums(const HeapGrowth& growth) {
  u64 got = 0, given_back = 0, dropped = 0;
  for (const GrowthRow& row : growth.rows) {
    (row.mapped > 0 ? got : given_back) += static_cast<u64>(row.mapped > 0 ? row.mapped : -row.mapped);
    dropped += row.dropped;
  }
  const GrowthRow& last = growth.rows.back();
  std::printf("  %s: %s of address space got, %s given back",
              counted(growth.rows.size(), "call", "calls").c_str(), human_bytes(got).c_str(),
              human_bytes(given_back).c_str());
  if (dropped != 0) std::printf(", pages of %s dropped", human_bytes(dropped).c_str());
  std::printf("\n  held %s: %s, of which %s may be used; at most %s, and %s\n",
              growth.report->has_instant ? "then" : "at its end",
              human_bytes(static_cast<u64>(last.mapped_bytes)).c_str(),
              human_bytes(static_cast<u64>(last.usable_bytes)).c_str(),
              human_bytes(static_cast<u64>(growth.mapped_most())).c_str(),
              human_bytes(static_cast<u64>(growth.usable_most())).c_str());
}

Json row_json(const HeapGrowth& growth, const GrowthRow& row) {
  Json json{{"event", row.event},
            {"task", row.task},
            {"ticks", row.ticks},
            {"time_ns", row.time_ns},
            {"call", row.call},
            {"address", row.address},
            {"mapped", row.mapped},
            {"usable", row.usable},
            {"dropped", row.dropped},
            {"mapped_bytes", row.mapped_bytes},
            {"usable_bytes", row.usable_bytes},
            {"live_bytes", row.live_bytes},
            {"function", nullptr},
            {"stack", Json::array()}};
  if (row.function) json["function"] = *row.function;
  if (row.node) json["stack"] = stack_json(*growth.report, *row.node);
  return json;
}

}  // namespace

i64 HeapGrowth::mapped_most() const {
  i64 most = 0;
  for (const GrowthRow& row : rows) most = std::max(most, row.mapped_bytes);
  return most;
}

i64 HeapGrowth::usable_most() const {
  i64 most = 0;
  for (const GrowthRow& row : rows) most = std::max(most, row.usable_bytes);
  return most;
}

Fallible<std::vector<HeapGrowth>> read_growth(db::Database& database, const LayerOptions& options,
                                              const std::vector<HeapReport>& reports) {
  std::vector<HeapGrowth> all;
  for (const HeapReport& report : reports) {
    const std::string of = "WHERE process = " + std::to_string(report.sums.process) +
                           " AND program = " + std::to_string(report.sums.program) + " AND " +
                           options.condition("event", "ticks", "time_ns") + " ORDER BY number";
    all.push_back({.report = &report, .rows = TRY(database.read(lens::heap::kHeapGrowth, of))});
  }
  return all;
}

Json growth_json(const HeapGrowth& growth) {
  Json json{{"process", growth.report->sums.process},
            {"program", growth.report->sums.program},
            {"mapped_most", growth.mapped_most()},
            {"usable_most", growth.usable_most()},
            {"growth", Json::array()},
            {"samples", samples_json(*growth.report)}};
  for (const GrowthRow& row : growth.rows) json["growth"].push_back(row_json(growth, row));
  return json;
}

void print_growth(const HeapGrowth& growth, bool all, const Style& style) {
  if (growth.rows.empty()) {
    std::printf("  the allocators asked the kernel for nothing\n");
    return;
  }
  print_sums(growth);
  print_curves(growth);
  std::printf("\n%s\n",
              style
                  .bold("            AT     TASK   TIMES CALL          MAPPED      USABLE     DROPPED  "
                        "      HELD       LIVE  BY")
                  .c_str());
  const std::vector<Line> lines = lines_of(growth, all);
  const std::size_t shown = all ? lines.size() : std::min(lines.size(), kRowsShown);
  for (std::size_t at = 0; at < shown; ++at) print_line(growth, lines[at], style);
  if (shown < lines.size())
    std::printf("%s\n", style.dim("and " + std::to_string(lines.size() - shown) + " more: --all").c_str());
}

}  // namespace orrery::cli
