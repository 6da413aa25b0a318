#include "cli/heap_report.h"

#include <algorithm>
#include <cstdio>

#include "base/base_name.h"
#include "cli/recording_text.h"
#include "lens/clock.h"
#include "lens/heap/heap_log.h"

namespace orrery::cli {
namespace {

using lens::heap::BlockRow;
using lens::heap::HeapRow;
using lens::heap::LoggedPlace;
using lens::heap::LogReader;
using lens::heap::LogRow;
using lens::heap::NodeRow;
using lens::heap::PlaceRow;
using lens::heap::SampleRow;

std::string of_program(const HeapRow& heap) {
  return "WHERE process = " + std::to_string(heap.process) + " AND program = " + std::to_string(heap.program);
}

/// Where a process was at an instant that may be another's.
LoggedPlace place_in(const lens::Recording& recording, u32 process, const lens::ExactInstant& instant) {
  if (process == instant.process)
    return {.event = instant.at.event, .task = instant.at.task, .ticks = instant.at.ticks};
  const lens::Instant there = lens::Clock(recording, process).find(instant.at.time_ns);
  return {.event = there.event, .task = there.task, .ticks = there.ticks};
}

bool is_behind(const LoggedPlace& entry, const LoggedPlace& at) {
  if (entry.event != at.event) return entry.event > at.event;
  return entry.task == at.task && entry.ticks > at.ticks;
}

/// Makes of the report of the whole run that of an instant.
class Rewind {
 public:
  Rewind(HeapReport& report, const LoggedPlace& at) : report_(report), at_(at) {
    report_.has_instant = true;
    HeapRow& sums = report_.sums;
    sums.allocations = sums.bytes = sums.releases = sums.live_blocks = sums.live_bytes = 0;
    for (auto& [number, node] : report_.nodes)
      node.calls = node.bytes = node.live_blocks = node.live_bytes = 0;
    report_.blocks.clear();
    std::erase_if(report_.samples, [&](const SampleRow& sample) {
      return is_behind({sample.event, sample.task, sample.ticks}, at_);
    });
  }

  Fallible<Nothing> read(db::Database& database, lens::Clock clock) {
    for (u32 chunk = 0;; ++chunk) {
      const auto rows = TRY(database.read(lens::heap::kHeapLog,
                                          of_program(report_.sums) + " AND chunk = " + std::to_string(chunk) +
                                              " AND first_event <= " + std::to_string(at_.event)));
      if (rows.empty() || !read_chunk(rows.front(), clock)) break;
    }
    for (auto& [number, block] : live_) report_.blocks.push_back(std::move(block));
    return Nothing{};
  }

 private:
  bool read_chunk(const LogRow& row, lens::Clock& clock) {
    LogReader reader(row.columns);
    for (u64 i = 0; i < row.entries; ++i) {
      const LogReader::Entry entry = reader.next(next_block_);
      if (is_behind(entry.place, at_)) return false;
      entry.is_release ? release(entry.block.number) : allocate(entry, clock);
    }
    return true;
  }

  void allocate(const LogReader::Entry& entry, lens::Clock& clock) {
    HeapRow& sums = report_.sums;
    HeapNode& node = report_.nodes[entry.block.node];
    const u64 bytes = entry.block.size_bytes;
    ++sums.allocations, ++node.calls, ++sums.live_blocks, ++node.live_blocks;
    sums.bytes += bytes, node.bytes += bytes, sums.live_bytes += bytes, node.live_bytes += bytes;
    live_[entry.block.number] = {
        .process = sums.process,
        .program = sums.program,
        .number = entry.block.number,
        .address = entry.block.address,
        .size_bytes = bytes,
        .node = entry.block.node,
        .event = entry.place.event,
        .task = entry.place.task,
        .ticks = entry.place.ticks,
        .time_ns = clock.time_at(entry.place.event, entry.place.task, entry.place.ticks)};
  }

  void release(u64 number) {
    const auto known = live_.find(number);
    if (known == live_.end()) return;
    HeapRow& sums = report_.sums;
    HeapNode& node = report_.nodes[known->second.node];
    ++sums.releases, --sums.live_blocks, --node.live_blocks;
    sums.live_bytes -= known->second.size_bytes, node.live_bytes -= known->second.size_bytes;
    live_.erase(known);
  }

  HeapReport& report_;
  LoggedPlace at_;
  u64 next_block_ = 0;
  std::map<u64, BlockRow> live_;
};

Fallible<HeapReport> read_heap(db::Database& database, const HeapRow& sums) {
  HeapReport report{.sums = sums};
  const std::string of = of_program(sums);
  for (const NodeRow& row : TRY(database.read(lens::heap::kHeapNode, of)))
    report.nodes[row.node] = {.parent = row.parent,
                              .pc = row.pc,
                              .calls = row.allocations,
                              .bytes = row.bytes,
                              .temporary = row.temporary,
                              .live_blocks = row.live_blocks,
                              .live_bytes = row.live_bytes,
                              .peak_blocks = row.peak_blocks,
                              .peak_bytes = row.peak_bytes};
  for (PlaceRow& row : TRY(database.read(lens::heap::kHeapPlace, of + " ORDER BY pc, depth")))
    report.places[row.pc].push_back(std::move(row));
  report.samples = TRY(database.read(lens::heap::kHeapSample, of + " ORDER BY rowid"));
  report.blocks = TRY(database.read(lens::heap::kHeapBlock, of + " ORDER BY number"));
  return report;
}

}  // namespace

const char* name_of(HeapMeasure measure) {
  switch (measure) {
    case HeapMeasure::peak:
      return "peak";
    case HeapMeasure::live:
      return "live";
    case HeapMeasure::bytes:
      return "bytes";
    case HeapMeasure::calls:
      return "calls";
    case HeapMeasure::temporary:
      return "temporary";
  }
  return "";
}

u64 HeapNode::of(HeapMeasure measure) const {
  switch (measure) {
    case HeapMeasure::peak:
      return peak_bytes;
    case HeapMeasure::live:
      return live_bytes;
    case HeapMeasure::bytes:
      return bytes;
    case HeapMeasure::calls:
      return calls;
    case HeapMeasure::temporary:
      return temporary;
  }
  return 0;
}

std::vector<HeapSite> HeapReport::sites(HeapMeasure measure) const {
  std::map<u64, HeapSite> by_pc;
  for (const auto& [number, node] : nodes) {
    if (node.of(measure) == 0) continue;
    HeapSite& site = by_pc[node.pc];
    HeapNode& sums = site.sums;
    if (site.stacks++ == 0 || node.of(measure) > nodes.at(site.node).of(measure)) site.node = number;
    sums.calls += node.calls, sums.bytes += node.bytes, sums.temporary += node.temporary;
    sums.live_blocks += node.live_blocks, sums.live_bytes += node.live_bytes;
    sums.peak_blocks += node.peak_blocks, sums.peak_bytes += node.peak_bytes;
  }
  std::vector<HeapSite> all;
  for (const auto& [pc, site] : by_pc) all.push_back(site);
  std::stable_sort(all.begin(), all.end(), [measure](const HeapSite& left, const HeapSite& right) {
    return left.sums.of(measure) > right.sums.of(measure);
  });
  return all;
}

std::vector<u32> HeapReport::stack_of(u32 node) const {
  std::vector<u32> stack;
  for (auto at = nodes.find(node); at != nodes.end() && at->first != 0; at = nodes.find(at->second.parent))
    stack.push_back(at->first);
  return stack;
}

Fallible<std::vector<HeapReport>> read_heaps(db::Database& database, const std::string& directory,
                                             const std::string& condition,
                                             const std::optional<lens::ExactInstant>& instant) {
  std::vector<HeapReport> reports;
  const auto heaps =
      TRY(database.read(lens::heap::kHeap, "WHERE " + condition + " ORDER BY process, program"));
  for (const HeapRow& heap : heaps) reports.push_back(TRY(read_heap(database, heap)));
  if (!instant) return reports;
  const lens::Recording recording = TRY(lens::open_recording(directory));
  for (HeapReport& report : reports) {
    const LoggedPlace at = place_in(recording, report.sums.process, *instant);
    TRY(Rewind(report, at).read(database, lens::Clock(recording, report.sums.process)));
  }
  // Of a process only the program that ran then, or was the last to have a heap before.
  std::vector<HeapReport> shown;
  for (HeapReport& report : reports) {
    if (report.sums.allocations == 0) continue;
    if (!shown.empty() && shown.back().sums.process == report.sums.process) shown.pop_back();
    shown.push_back(std::move(report));
  }
  return shown;
}

CountedStacks counted_stacks(const HeapReport& report, HeapMeasure measure) {
  CountedStacks stacks;
  for (const auto& [number, node] : report.nodes) {
    if (node.of(measure) == 0) continue;
    std::vector<std::string> names;
    for (const u32 each : report.stack_of(number)) {
      const auto place = report.places.find(report.nodes.at(each).pc);
      if (place == report.places.end()) continue;
      for (const PlaceRow& row : place->second)
        names.push_back(row.function ? *row.function
                                     : "[" + std::string(base_name(row.object.value_or("?"))) + "]");
    }
    if (names.empty()) names.emplace_back("[unknown]");
    std::reverse(names.begin(), names.end());
    stacks[names] += node.of(measure);
  }
  return stacks;
}

void print_folded(const HeapReport& report, HeapMeasure measure) {
  for (const auto& [names, value] : counted_stacks(report, measure)) {
    std::string line;
    for (std::string name : names) {
      std::replace(name.begin(), name.end(), ';', ':');
      line += (line.empty() ? "" : ";") + name;
    }
    std::printf("%s %lu\n", printable(line).c_str(), value);
  }
}

void print_flame_graphs(const std::vector<HeapReport>& reports, HeapMeasure measure) {
  const bool counts = measure == HeapMeasure::calls || measure == HeapMeasure::temporary;
  std::vector<FlameGraph> graphs;
  for (const HeapReport& report : reports)
    graphs.push_back({.title = "process #" + std::to_string(report.sums.process) + ", program " +
                               std::to_string(report.sums.program) + ", heap by " + name_of(measure),
                      .stacks = counted_stacks(report, measure),
                      .words = counts ? [](u64 value) { return std::to_string(value) + " blocks"; }
                                      : [](u64 value) { return human_bytes(value); }});
  std::fputs(flame_graph_svg(graphs).c_str(), stdout);
}

}  // namespace orrery::cli
