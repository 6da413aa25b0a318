#include "cli/heap_fragmentation.h"

#include <algorithm>
#include <cstdio>

#include "cli/at_option.h"
#include "cli/collect.h"
#include "cli/heap_words.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::heap::Chunk;
using lens::heap::ChunkState;

constexpr u64 kCellsMost = 240, kCellsInLine = 60;

/// SQL: a row of the process at hand was there at the instant.
std::string was_there(const StoppedHeap& heap, const char* begin, const char* end) {
  const auto before = [&](const std::string& which) {
    return heap.stopped->instant.condition((which + "event").c_str(), (which + "ticks").c_str(),
                                           (which.empty() ? "time_ns" : which + "ns").c_str());
  };
  const std::string end_event = std::string(end) + "event";
  return " WHERE process = " + std::to_string(heap.given.sums.process) +
         " AND program = " + std::to_string(heap.given.sums.program) + " AND " + before(begin) + " AND (" +
         end_event + " IS NULL OR NOT " + before(end) + ")";
}

Fallible<Nothing> read_held(db::Database& database, const StoppedHeap& heap, HeapFragmentation& found) {
  db::Statement rows = TRY(database.prepare("SELECT start, end, is_usable FROM heap_held" +
                                            was_there(heap, "begin_", "end_") + " ORDER BY start"));
  while (TRY(rows.step())) {
    const u64 start = static_cast<u64>(rows.integer(0)), end = static_cast<u64>(rows.integer(1));
    found.mapped += end - start;
    if (rows.integer(2) == 0) continue;
    found.usable += end - start;
    if (!found.ranges.empty() && found.ranges.back().end == start)
      found.ranges.back().end = end;
    else
      found.ranges.push_back({start, end});
  }
  return Nothing{};
}

/// Distributes what lies in the ranges over the cells, which are alike in size and leave the gaps out.
class Cells {
 public:
  explicit Cells(HeapFragmentation& found) : found_(found) {
    constexpr u64 kPage = 4096;
    found.cell_bytes = std::max(kPage, page_ceil((found.usable + kCellsMost - 1) / kCellsMost));
    found.cells.resize((found.usable + found.cell_bytes - 1) / found.cell_bytes);
    u64 before = 0;
    for (const HeapFragmentation::Range& range : found.ranges) {
      before_.push_back(before);
      before += range.end - range.start;
    }
  }

  /// What of it lies in the ranges, in bytes.
  u64 add(u64 start, u64 end, u64 HeapFragmentation::Cell::*what) {
    u64 added = 0;
    auto range = std::upper_bound(found_.ranges.begin(), found_.ranges.end(), start,
                                  [](u64 at, const auto& each) { return at < each.end; });
    for (; range != found_.ranges.end() && range->start < end; ++range) {
      const u64 from = std::max(start, range->start), to = std::min(end, range->end);
      if (from >= to) continue;
      added += to - from;
      const u64 base = before_[static_cast<std::size_t>(range - found_.ranges.begin())];
      spread(base + from - range->start, base + to - range->start, what);
    }
    return added;
  }

 private:
  void spread(u64 from, u64 to, u64 HeapFragmentation::Cell::*what) {
    while (from < to) {
      const u64 cell = from / found_.cell_bytes;
      const u64 end = std::min(to, (cell + 1) * found_.cell_bytes);
      found_.cells[cell].*what += end - from;
      from = end;
    }
  }

  HeapFragmentation& found_;
  std::vector<u64> before_;  ///< bytes of the ranges before each
};

Fallible<Nothing> read_pages(const LayerOptions& options, const StoppedHeap& heap, HeapFragmentation& found,
                             Cells& cells) {
  constexpr u64 kPage = 4096;
  db::Database database = TRY(collect(options.directory, {{lens_of_table("page")}}));
  db::Statement rows = TRY(database.prepare("SELECT page FROM page" + was_there(heap, "", "gone_")));
  while (TRY(rows.step())) {
    const u64 page = static_cast<u64>(rows.integer(0));
    found.resident += cells.add(page, page + kPage, &HeapFragmentation::Cell::resident);
  }
  return Nothing{};
}

HeapFragmentation::Chunks sums_of(const StoppedHeap& heap) {
  HeapFragmentation::Chunks sums;
  for (const lens::heap::Arena& arena : heap.glibc->arenas) sums.own += arena.own_bytes;
  const auto add = [&](const Chunk& chunk) {
    if (chunk.state == ChunkState::top) {
      sums.top += chunk.size_bytes;
    } else if (chunk.is_free()) {
      ++sums.free_chunks;
      sums.free += chunk.size_bytes;
      sums.free_largest = std::max(sums.free_largest, chunk.size_bytes);
    } else if (heap.live.contains(chunk.block())) {
      sums.given += chunk.size_bytes;
      sums.usable += chunk.usable_bytes();
    } else {
      sums.own += chunk.size_bytes;
    }
  };
  for (const Chunk& chunk : heap.glibc->chunks) add(chunk);
  for (const Chunk& chunk : heap.glibc->mapped_chunks) add(chunk);
  return sums;
}

Json share_json(const std::optional<double>& share) { return share ? Json(*share) : Json(nullptr); }

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

void print_sum(const char* what, u64 bytes, const std::string& words) {
  std::printf("  %-22s %12lu bytes%s%s\n", what, bytes, words.empty() ? "" : "  ", words.c_str());
}

void print_cells(const HeapFragmentation& found) {
  if (found.cells.empty()) return;
  static constexpr const char* kLevels[] = {"░", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::printf("\n");
  for (u64 at = 0; at < found.cells.size(); ++at) {
    const HeapFragmentation::Cell& cell = found.cells[at];
    const u64 level = (cell.live * 8 + found.cell_bytes - 1) / found.cell_bytes;
    if (at % kCellsInLine == 0) std::printf("%s  ", at == 0 ? "" : "\n");
    std::printf("%s", cell.live == 0 && cell.resident == 0 ? "·" : kLevels[std::min<u64>(level, 8)]);
  }
  std::printf("\n  a cell is %s: how much of it is live; ░ touched and free, · never touched\n",
              human_bytes(found.cell_bytes).c_str());
}

}  // namespace

std::optional<double> HeapFragmentation::internal() const {
  if (!chunks || chunks->given == 0) return std::nullopt;
  return 1.0 - static_cast<double>(std::min(asked, chunks->given)) / static_cast<double>(chunks->given);
}

std::optional<double> HeapFragmentation::external() const {
  if (!chunks || chunks->free == 0) return std::nullopt;
  return 1.0 - static_cast<double>(chunks->free_largest) / static_cast<double>(chunks->free);
}

std::optional<double> HeapFragmentation::unused() const {
  if (resident == 0) return std::nullopt;
  return 1.0 - static_cast<double>(std::min(asked, resident)) / static_cast<double>(resident);
}

Fallible<HeapFragmentation> read_fragmentation(db::Database& database, const LayerOptions& options,
                                               const StoppedHeap& heap) {
  HeapFragmentation found{.blocks = heap.given.sums.live_blocks, .asked = heap.given.sums.live_bytes};
  TRY(read_held(database, heap, found));
  Cells cells(found);
  for (const auto& [address, block] : heap.live)
    cells.add(address, address + block->size_bytes, &HeapFragmentation::Cell::live);
  TRY(read_pages(options, heap, found, cells));
  const bool has_chunks = heap.glibc && !heap.glibc->chunks.empty();
  if (has_chunks) found.chunks = sums_of(heap);
  return found;
}

Json fragmentation_json(const HeapFragmentation& found, const StoppedHeap& heap) {
  Json json{{"at", instant_json(heap.stopped->instant)},
            {"process", heap.stopped->instant.process},
            {"blocks", found.blocks},
            {"asked_bytes", found.asked},
            {"mapped_bytes", found.mapped},
            {"usable_bytes", found.usable},
            {"resident_bytes", found.resident},
            {"chunks", nullptr},
            {"internal", share_json(found.internal())},
            {"external", share_json(found.external())},
            {"unused", share_json(found.unused())},
            {"ranges", Json::array()},
            {"cell_bytes", found.cell_bytes},
            {"cells", Json::array()}};
  if (found.chunks)
    json["chunks"] = {{"given_bytes", found.chunks->given},
                      {"usable_bytes", found.chunks->usable},
                      {"own_bytes", found.chunks->own},
                      {"free_bytes", found.chunks->free},
                      {"free_chunks", found.chunks->free_chunks},
                      {"free_largest_bytes", found.chunks->free_largest},
                      {"top_bytes", found.chunks->top}};
  for (const HeapFragmentation::Range& range : found.ranges)
    json["ranges"].push_back({{"start", range.start}, {"end", range.end}});
  for (const HeapFragmentation::Cell& cell : found.cells)
    json["cells"].push_back({{"live_bytes", cell.live}, {"resident_bytes", cell.resident}});
  return json;
}

void print_fragmentation(const HeapFragmentation& found, const StoppedHeap& heap) {
  std::printf("%s\n\n", instant_words(heap.stopped->instant).c_str());
  print_sum("asked for", found.asked, "in " + counted(found.blocks, "live block", "live blocks"));
  if (found.chunks) {
    const HeapFragmentation::Chunks& chunks = *found.chunks;
    print_sum("given for them", chunks.given,
              found.internal() ? percent(*found.internal()) + " headers and rounding (internal)" : "");
    print_sum("malloc's own", chunks.own, "caches, arenas, fences");
    print_sum("free", chunks.free,
              "in " + counted(chunks.free_chunks, "chunk", "chunks") +
                  (found.external() ? ", the largest of " + std::to_string(chunks.free_largest) + ": " +
                                          percent(*found.external()) + " in smaller ones (external)"
                                    : ""));
    print_sum("top", chunks.top, "not given out since it came");
  }
  print_sum("resident", found.resident,
            found.unused() ? percent(*found.unused()) + " of it not asked for" : "");
  print_sum(
      "held of the kernel", found.usable,
      found.mapped > found.usable ? "and " + human_bytes(found.mapped - found.usable) + " reserved" : "");
  print_cells(found);
}

}  // namespace orrery::cli
