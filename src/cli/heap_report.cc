#include "cli/heap_report.h"

#include <algorithm>
#include <cstdio>

#include "base/base_name.h"
#include "cli/heap_history.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

using lens::heap::HeapRow;
using lens::heap::LoggedPlace;
using lens::heap::NodeRow;
using lens::heap::PlaceRow;
using lens::heap::SampleRow;

std::string of_program(const HeapRow& heap) {
  return "WHERE process = " + std::to_string(heap.process) + " AND program = " + std::to_string(heap.program);
}

/// Behind all.
constexpr LoggedPlace kEnd = {.event = ~u64{0}, .task = 0, .ticks = ~u64{0}};

/// What is live where the history stands, by node and block by block.
void set_live(HeapReport& report, const HeapHistory& history) {
  for (auto& [number, node] : report.nodes) node.live_blocks = node.live_bytes = 0;
  report.blocks.clear();
  report.sums.live_blocks = report.sums.live_bytes = 0;
  for (const auto& [number, block] : history.live()) {
    HeapNode& node = report.nodes[block.node];
    ++node.live_blocks, ++report.sums.live_blocks;
    node.live_bytes += block.size_bytes, report.sums.live_bytes += block.size_bytes;
    report.blocks.push_back(block);
  }
}

/// Makes of the report of the whole run that of an instant.
Fallible<Nothing> rewind(HeapReport& report, HeapHistories& histories, const LoggedPlace& at) {
  report.has_instant = true;
  const std::unique_ptr<HeapHistory> history = TRY(histories.begin(report.sums));
  TRY(history->go_to(at));
  HeapRow& sums = report.sums;
  sums.allocations = sums.bytes = 0;
  sums.releases = history->releases();
  for (auto& [number, node] : report.nodes) node.calls = node.bytes = 0;
  for (const auto& [number, counts] : history->given()) {
    HeapNode& node = report.nodes[number];
    node.calls = counts.blocks, sums.allocations += counts.blocks;
    node.bytes = counts.bytes, sums.bytes += counts.bytes;
  }
  set_live(report, *history);
  std::erase_if(report.samples, [&](const SampleRow& sample) {
    return is_behind({sample.event, sample.task, sample.ticks}, at);
  });
  return Nothing{};
}

/// Of a whole run, with what was inherited: it is in no row of the process's own.
Fallible<Nothing> add_inherited(HeapReport& report, HeapHistories& histories) {
  const std::unique_ptr<HeapHistory> history = TRY(histories.begin(report.sums));
  TRY(history->go_to({report.sums.peak_event, report.sums.peak_task, report.sums.peak_ticks}));
  for (auto& [number, node] : report.nodes) node.peak_blocks = node.peak_bytes = 0;
  for (const auto& [number, block] : history->live()) {
    HeapNode& node = report.nodes[block.node];
    ++node.peak_blocks;
    node.peak_bytes += block.size_bytes;
  }
  TRY(history->go_to(kEnd));
  set_live(report, *history);
  return Nothing{};
}

/// The calls that made what was inherited.
Fallible<Nothing> add_inherited_nodes(HeapReport& report, db::Database& database, HeapHistories& histories) {
  HeapRow program = report.sums;
  u32 nodes = ~u32{0};
  while (const std::optional<HeapRow> from = TRY(histories.parent(program))) {
    nodes = std::min(nodes, program.inherited_nodes);
    for (const NodeRow& row : TRY(database.read(lens::heap::kHeapNode, of_program(*from))))
      if (row.node < nodes) report.nodes.try_emplace(row.node, HeapNode{.parent = row.parent, .pc = row.pc});
    std::map<u64, std::vector<PlaceRow>> places;
    for (PlaceRow& row :
         TRY(database.read(lens::heap::kHeapPlace, of_program(*from) + " ORDER BY pc, depth")))
      places[row.pc].push_back(std::move(row));
    report.places.merge(places);
    program = *from;
  }
  return Nothing{};
}

Fallible<HeapReport> read_heap(db::Database& database, const HeapRow& sums, WithBlocks blocks) {
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
  if (blocks == WithBlocks::yes)
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
                                             const std::optional<lens::ExactInstant>& instant,
                                             WithBlocks blocks) {
  std::vector<HeapReport> reports;
  const auto heaps =
      TRY(database.read(lens::heap::kHeap, "WHERE " + condition + " ORDER BY process, program"));
  const lens::Recording recording = TRY(lens::open_recording(directory));
  HeapHistories histories(database, recording);
  for (const HeapRow& heap : heaps) {
    HeapReport& report =
        reports.emplace_back(TRY(read_heap(database, heap, instant ? WithBlocks::no : blocks)));
    if (heap.inherited_blocks == 0) continue;
    TRY(add_inherited_nodes(report, database, histories));
    TRY(add_inherited(report, histories));
  }
  if (!instant) return reports;
  std::vector<HeapReport> shown;
  for (std::size_t number = 0; number < reports.size(); ++number) {
    HeapReport& report = reports[number];
    const u32 process = report.sums.process;
    if (recording.since_begin(recording.tree.at(process).start_ns) > instant->at.time_ns) continue;
    const LoggedPlace at = place_in(recording, process, *instant);
    // Of a process only the program that ran then.
    const bool is_last = number + 1 == reports.size() || reports[number + 1].sums.process != process;
    if (!is_last && reports[number + 1].sums.begin_event <= at.event) continue;
    TRY(rewind(report, histories, at));
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
