// What `orrery show heap` says of one program: sums, the sites that asked for its blocks, and its size over
// time; of the whole run, or at an instant.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/flame_graph.h"
#include "db/database.h"
#include "lens/heap/heap_tables.h"
#include "lens/instants.h"

namespace orrery::cli {

/// By what sites are ordered, and what a flame graph's width means.
enum class HeapMeasure : u8 { peak, live, bytes, calls, temporary };
const char* name_of(HeapMeasure measure);

/// Of one node. Without an instant `live` is of the end of the program.
struct HeapNode {
  u32 parent = 0;
  u64 pc = 0;
  u64 calls = 0, bytes = 0, temporary = 0;
  u64 live_blocks = 0, live_bytes = 0, peak_blocks = 0, peak_bytes = 0;

  u64 of(HeapMeasure measure) const;
};

/// A call of an allocator, with all the ways that led to it.
struct HeapSite {
  HeapNode sums{};
  u32 node = 0;    ///< the one that counts most
  u64 stacks = 0;  ///< how many there are
};

struct HeapReport {
  lens::heap::HeapRow sums{};  ///< of the whole run; live_* at the instant if there is one
  bool has_instant = false;
  std::map<u32, HeapNode> nodes{};
  std::map<u64, std::vector<lens::heap::PlaceRow>> places{};  ///< by pc, innermost first
  std::vector<lens::heap::SampleRow> samples{};
  std::vector<lens::heap::BlockRow> blocks{};  ///< live at the instant, or at the end; if wanted

  /// The greatest first; those that have none of it are left out.
  std::vector<HeapSite> sites(HeapMeasure measure) const;
  /// From the innermost call outwards.
  std::vector<u32> stack_of(u32 node) const;
};

/// A server has millions of blocks.
enum class WithBlocks : bool { no, yes };

/// Of the programs of these processes, in their order. `condition`: SQL over `process`.
Fallible<std::vector<HeapReport>> read_heaps(db::Database& database, const std::string& directory,
                                             const std::string& condition,
                                             const std::optional<lens::ExactInstant>& instant,
                                             WithBlocks blocks);

/// Writes "outermost;...;innermost count" lines, as flame graph tools read them.
void print_folded(const HeapReport& report, HeapMeasure measure);
/// Writes them as one SVG.
void print_flame_graphs(const std::vector<HeapReport>& reports, HeapMeasure measure);

}  // namespace orrery::cli
