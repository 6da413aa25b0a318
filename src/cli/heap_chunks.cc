#include "cli/heap_chunks.h"

#include <algorithm>
#include <cstdio>

#include "base/base_name.h"
#include "cli/at_option.h"
#include "cli/heap_words.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::heap::Arena;
using lens::heap::BlockRow;
using lens::heap::Chunk;
using lens::heap::ChunkState;
using lens::heap::GlibcHeap;

constexpr std::size_t kChunksShown = 40;
constexpr ChunkState kStates[] = {ChunkState::in_use,       ChunkState::tcache,    ChunkState::fast_bin,
                                  ChunkState::unsorted_bin, ChunkState::small_bin, ChunkState::large_bin,
                                  ChunkState::top,          ChunkState::fence};

std::vector<u64> thread_pointers(lens::ReplaySession& session) {
  std::vector<u64> pointers;
  for (const machine::ControlTask& task : session.tasks())
    if (task.fs_base != 0) pointers.push_back(task.fs_base);
  return pointers;
}

/// The live block in a chunk; null if it is free, or the library's own.
const BlockRow* block_in(const StoppedHeap& heap, const Chunk& chunk) {
  if (chunk.state != ChunkState::in_use) return nullptr;
  const auto found = heap.live.find(chunk.block());
  return found == heap.live.end() ? nullptr : found->second;
}

std::string flags_of(const Chunk& chunk) {
  std::string text;
  text += (chunk.flags & Chunk::kPreviousInUse) != 0 ? 'P' : '-';
  text += (chunk.flags & Chunk::kIsMapped) != 0 ? 'M' : '-';
  text += (chunk.flags & Chunk::kIsInOtherArena) != 0 ? 'A' : '-';
  return text;
}

struct StateSums {
  u64 chunks = 0, bytes = 0;
};

StateSums sums_of(const GlibcHeap& heap, u32 arena, ChunkState state) {
  StateSums sums;
  for (const Chunk& each : heap.chunks) {
    if (each.arena != arena || each.state != state) continue;
    ++sums.chunks;
    sums.bytes += each.size_bytes;
  }
  return sums;
}

/// The last block before a damaged header: what was written beyond it may be the damage.
const BlockRow* block_before(const StoppedHeap& heap, u64 address) {
  const auto behind = heap.live.lower_bound(address);
  if (behind == heap.live.begin()) return nullptr;
  const BlockRow* const before = std::prev(behind)->second;
  constexpr u64 kNearBytes = 4096;
  return address < before->address + before->size_bytes + kNearBytes ? before : nullptr;
}

// --- JSON ---

Json chunk_json(const StoppedHeap& heap, const Chunk& chunk) {
  Json json{{"address", chunk.address},
            {"size_bytes", chunk.size_bytes},
            {"previous_in_use", (chunk.flags & Chunk::kPreviousInUse) != 0},
            {"mapped", (chunk.flags & Chunk::kIsMapped) != 0},
            {"other_arena", (chunk.flags & Chunk::kIsInOtherArena) != 0},
            {"state", name_of(chunk.state)}};
  const BlockRow* const block = block_in(heap, chunk);
  if (block == nullptr) return json;
  json["block"] = {{"number", block->number},
                   {"address", block->address},
                   {"size_bytes", block->size_bytes},
                   {"stack", stack_json(heap.given, block->node)}};
  return json;
}

Json arena_json(const StoppedHeap& heap, u32 number) {
  const Arena& arena = heap.glibc->arenas[number];
  Json json{{"address", arena.address},
            {"is_main", arena.is_main},
            {"system_bytes", arena.system_bytes},
            {"system_bytes_most", arena.system_bytes_most},
            {"threads", arena.threads},
            {"own_bytes", arena.own_bytes},
            {"heaps", Json::array()},
            {"states", Json::object()},
            {"chunks", Json::array()}};
  for (const lens::heap::Span& span : arena.heaps)
    json["heaps"].push_back({{"start", span.start}, {"end", span.end}});
  for (const ChunkState state : kStates) {
    const StateSums sums = sums_of(*heap.glibc, number, state);
    json["states"][name_of(state)] = {{"chunks", sums.chunks}, {"bytes", sums.bytes}};
  }
  for (const Chunk& chunk : heap.glibc->chunks)
    if (chunk.arena == number) json["chunks"].push_back(chunk_json(heap, chunk));
  return json;
}

// --- text ---

void print_arena(const StoppedHeap& heap, u32 number, const Style& style) {
  const Arena& arena = heap.glibc->arenas[number];
  std::printf("\n%s\n",
              style
                  .bold("arena " + std::to_string(number) + (arena.is_main ? ", the main one" : "") +
                        ", at " + hexadecimal(arena.address))
                  .c_str());
  std::printf("  %lu bytes of the kernel (at most %lu) in %s, for %s\n", arena.system_bytes,
              arena.system_bytes_most, counted(arena.heaps.size(), "heap", "heaps").c_str(),
              counted(arena.threads, "thread", "threads").c_str());
  for (const ChunkState state : kStates) {
    const StateSums sums = sums_of(*heap.glibc, number, state);
    if (sums.chunks != 0)
      std::printf("  %-12s %8lu %-6s %12lu bytes\n", name_of(state), sums.chunks,
                  sums.chunks == 1 ? "chunk" : "chunks", sums.bytes);
  }
  if (arena.own_bytes != 0) std::printf("  %-12s %15s %12lu bytes\n", "arena's own", "", arena.own_bytes);
  const u64 sum = heap.glibc->bytes_of(number) + arena.own_bytes;
  if (sum != arena.system_bytes)
    std::printf("  %s\n", style
                              .yellow("together " + std::to_string(sum) + " bytes: " +
                                      (sum < arena.system_bytes ? "the others were not found"
                                                                : "more than the arena says it has"))
                              .c_str());
}

void print_chunk(const StoppedHeap& heap, const Chunk& chunk) {
  const BlockRow* const block = block_in(heap, chunk);
  std::printf("%#18lx %12lu  %s  ", chunk.address, chunk.size_bytes, flags_of(chunk).c_str());
  if (block != nullptr)
    std::printf("%-12s %12lu  %s\n", name_of(chunk.state), block->size_bytes,
                site_words(heap.given, block->node).c_str());
  else if (chunk.state == ChunkState::in_use)
    std::printf("%-12s %12s  malloc's own\n", name_of(chunk.state), "");
  else
    std::printf("%s\n", name_of(chunk.state));
}

void print_list(const StoppedHeap& heap, bool all, const Style& style) {
  std::vector<const Chunk*> chunks;
  for (const Chunk& each : heap.glibc->chunks) chunks.push_back(&each);
  for (const Chunk& each : heap.glibc->mapped_chunks) chunks.push_back(&each);
  if (chunks.empty()) return;
  std::printf("\n%s\n",
              style.bold("             CHUNK         SIZE  PMA  STATE               ASKED  BY").c_str());
  const std::size_t shown = all ? chunks.size() : std::min(chunks.size(), kChunksShown);
  for (std::size_t at = 0; at < shown; ++at) print_chunk(heap, *chunks[at]);
  if (shown < chunks.size())
    std::printf("%s\n",
                style.dim("and " + std::to_string(chunks.size() - shown) + " more chunks: --all").c_str());
}

void print_troubles(const StoppedHeap& heap, const Style& style) {
  for (const lens::heap::HeapTrouble& trouble : heap.glibc->troubles) {
    std::printf("\n%s %s\n", style.red("damaged: " + hexadecimal(trouble.address) + ":").c_str(),
                trouble.words.c_str());
    if (const BlockRow* const block = block_before(heap, trouble.address))
      std::printf("  behind the block %s of %lu bytes, by %s\n", hexadecimal(block->address).c_str(),
                  block->size_bytes, site_words(heap.given, block->node).c_str());
  }
}

}  // namespace

Fallible<StoppedHeap> stop_heap(db::Database& database, const LayerOptions& options) {
  StoppedHeap heap;
  heap.stopped = TRY(stop_process(options));
  const u32 process = heap.stopped->instant.process;
  auto reports = TRY(read_heaps(database, options.directory, "process = " + std::to_string(process),
                                heap.stopped->instant, WithBlocks::yes));
  if (!reports.empty()) heap.given = std::move(reports.front());
  std::vector<u64> blocks;
  for (const BlockRow& block : heap.given.blocks) heap.live[block.address] = &block;
  for (const auto& [address, block] : heap.live) blocks.push_back(address);
  lens::ReplaySession& session = *heap.stopped->session;
  auto glibc = lens::heap::find_glibc(session, session.images());
  if (!glibc)
    heap.no_glibc = glibc.error().sentence;
  else if (!glibc.value())
    heap.no_glibc = "process #" + std::to_string(process) + " has no glibc, whose chunks could be shown";
  else
    heap.glibc = read_glibc_heap(session, *glibc.value(), thread_pointers(session), blocks);
  return heap;
}

Json chunks_json(const StoppedHeap& heap) {
  const lens::heap::Glibc& glibc = heap.glibc->glibc;
  Json json{{"at", instant_json(heap.stopped->instant)},
            {"glibc",
             {{"file", glibc.file},
              {"version", glibc.version.empty() ? Json(nullptr) : Json(glibc.version)},
              {"known_by", glibc.known_by}}},
            {"arenas", Json::array()},
            {"mapped_chunks", Json::array()},
            {"troubles", Json::array()}};
  for (u32 number = 0; number < heap.glibc->arenas.size(); ++number)
    json["arenas"].push_back(arena_json(heap, number));
  for (const Chunk& chunk : heap.glibc->mapped_chunks)
    json["mapped_chunks"].push_back(chunk_json(heap, chunk));
  for (const lens::heap::HeapTrouble& trouble : heap.glibc->troubles) {
    Json& row = json["troubles"].emplace_back(Json{{"address", trouble.address}, {"words", trouble.words}});
    const BlockRow* const before = block_before(heap, trouble.address);
    row["block_before"] = before == nullptr ? Json(nullptr) : Json(before->address);
  }
  return json;
}

void print_chunks(const StoppedHeap& heap, bool all, const Style& style) {
  const lens::heap::Glibc& glibc = heap.glibc->glibc;
  std::printf("%s\n", instant_words(heap.stopped->instant).c_str());
  std::printf("glibc %s in %s, known by %s\n", glibc.version.empty() ? "?" : glibc.version.c_str(),
              printable(base_name(glibc.file)).c_str(), glibc.known_by.c_str());
  for (u32 number = 0; number < heap.glibc->arenas.size(); ++number) print_arena(heap, number, style);
  if (!heap.glibc->mapped_chunks.empty()) {
    u64 bytes = 0;
    for (const Chunk& chunk : heap.glibc->mapped_chunks) bytes += chunk.size_bytes;
    std::printf("\n%s with mappings of their own: %lu bytes\n",
                counted(heap.glibc->mapped_chunks.size(), "chunk", "chunks").c_str(), bytes);
  }
  print_list(heap, all, style);
  print_troubles(heap, style);
}

}  // namespace orrery::cli
