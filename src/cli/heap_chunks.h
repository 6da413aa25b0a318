// `orrery show heap --chunks`: glibc's heap from chunk to chunk at an instant, each with its header and, if
// it is in use, who asked for it.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/heap_report.h"
#include "cli/layer_options.h"
#include "cli/stopped_process.h"
#include "cli/style.h"
#include "lens/heap/glibc_heap.h"

namespace orrery::cli {

/// The heap of one process where it stands, by the allocator's own structures and by the blocks it gave.
struct StoppedHeap {
  std::shared_ptr<StoppedProcess> stopped{};
  HeapReport given{};
  std::map<u64, const lens::heap::BlockRow*> live{};  ///< of `given`, by address
  std::optional<lens::heap::GlibcHeap> glibc{};       ///< none if it has no glibc
  std::string no_glibc{};                             ///< why, in words
};

/// At the instant of `options`, else where the process crashed or ended. `database` has the known allocators'
/// tables.
Fallible<StoppedHeap> stop_heap(db::Database& database, const LayerOptions& options);

nlohmann::ordered_json chunks_json(const StoppedHeap& heap);
void print_chunks(const StoppedHeap& heap, bool all, const Style& style);

}  // namespace orrery::cli
