// `orrery show heap --fragmentation`: what of the memory that a heap holds is live at an instant, and where
// the rest is.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cli/heap_chunks.h"

namespace orrery::cli {

/// Bytes; where glibc's chunks are known, what became of those that are not asked for.
struct HeapFragmentation {
  struct Range {
    u64 start = 0, end = 0;
  };
  struct Chunks {
    u64 given = 0;                                    ///< of chunks that hold live blocks, with their headers
    u64 usable = 0;                                   ///< what the program may use of them
    u64 own = 0;                                      ///< malloc's own: caches, arenas, fences
    u64 free = 0, free_chunks = 0, free_largest = 0;  ///< in lists, without the tops
    u64 top = 0;
  };
  /// A part of what may be used, from its start on.
  struct Cell {
    u64 live = 0, resident = 0;
  };

  u64 blocks = 0, asked = 0;    ///< live
  u64 mapped = 0, usable = 0;   ///< held of the kernel
  u64 resident = 0;             ///< of pages that this process has touched
  std::vector<Range> ranges{};  ///< that may be used, in order of addresses
  std::optional<Chunks> chunks{};
  std::vector<Cell> cells{};
  u64 cell_bytes = 0;

  /// Share of what was given for blocks that was not asked for; nothing without chunks.
  std::optional<double> internal() const;
  /// Share of free memory, without the tops, that is not in its largest chunk.
  std::optional<double> external() const;
  /// Share of resident memory that is not asked for; nothing if none is resident.
  std::optional<double> unused() const;
};

/// `database` has the tables of the heap; those of the pages are collected.
Fallible<HeapFragmentation> read_fragmentation(db::Database& database, const LayerOptions& options,
                                               const StoppedHeap& heap);

nlohmann::ordered_json fragmentation_json(const HeapFragmentation& found, const StoppedHeap& heap);
void print_fragmentation(const HeapFragmentation& found, const StoppedHeap& heap);

}  // namespace orrery::cli
