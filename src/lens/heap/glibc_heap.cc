#include "lens/heap/glibc_heap.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/hexadecimal_hosted.h"

namespace orrery::lens::heap {
namespace {

constexpr u64 kWord = sizeof(u64);
constexpr u64 kAlignment = 16;            // MALLOC_ALIGNMENT
constexpr u64 kSmallestChunk = 32;        // MINSIZE
constexpr u64 kHeapBytesMost = 64 << 20;  // HEAP_MAX_SIZE, and how a heap is aligned
constexpr u64 kFlagBits = 7;
constexpr u64 kSmallBins = 64;  // the first large one (NSMALLBINS)
constexpr u64 kArenasMost = 1 << 16, kHeapsMost = 1 << 16, kListMost = 1 << 26;
/// How far below a thread's pointer its C library's thread-local variables may lie.
constexpr u64 kThreadVariablesBytes = 8192;

class Walk {
 public:
  Walk(elf::StoppedMachine& machine, const Glibc& glibc, std::span<const u64> blocks)
      : machine_(machine), layout_(glibc.layout), blocks_(blocks), found_{.glibc = glibc} {}

  GlibcHeap go(std::span<const u64> thread_pointers) {
    find_arenas();
    for (const Arena& arena : found_.arenas) read_lists(arena);
    for (const u64 pointer : thread_pointers) find_cache(pointer);
    for (u32 number = 0; number < found_.arenas.size(); ++number)
      for (const Span& heap : found_.arenas[number].heaps) walk(number, heap);
    find_mapped();
    return std::move(found_);
  }

 private:
  /// 0 where nothing can be read.
  u64 word(u64 address) {
    u64 value = 0;
    return machine_.read_value(address, value) ? value : 0;
  }
  u64 size_field(u64 chunk) { return word(chunk + kWord); }
  u64 size_of(u64 chunk) { return size_field(chunk) & ~kFlagBits; }
  void trouble(u64 address, std::string words) {
    found_.troubles.push_back({.address = address, .words = std::move(words)});
  }

  // --- arenas and their heaps ---

  void find_arenas() {
    u64 address = found_.glibc.main_arena;
    for (u64 count = 0; count < kArenasMost; ++count) {
      Arena& arena = found_.arenas.emplace_back();
      arena.address = address;
      arena.is_main = address == found_.glibc.main_arena;
      arena.system_bytes = word(address + layout_.system_mem);
      arena.system_bytes_most = word(address + layout_.max_system_mem);
      arena.threads = word(address + layout_.attached_threads);
      arena.is_main ? find_main_heap(arena) : find_heaps(arena);
      const u64 next = word(address + layout_.next);
      if (next == found_.glibc.main_arena) return;
      if (next == 0 || next % kWord != 0)
        return trouble(address + layout_.next, "the link to the next arena leads to " + hexadecimal(next));
      address = next;
    }
  }

  /// It is in one piece: what others got of brk in between is counted as the arena's (sysmalloc), and what
  /// was got of it before, as a static program's thread-local storage, is not. Where brk failed, of the
  /// mapping that the top is in.
  void find_main_heap(Arena& arena) {
    const u64 top = word(arena.address + layout_.top);
    if (arena.system_bytes == 0 || top == 0) return;
    const u64 end = top + size_of(top);
    const elf::MappedRegion* const region = machine_.find_region(top);
    if (region == nullptr)
      return trouble(arena.address + layout_.top, "the top chunk, " + hexadecimal(top) + ", is not mapped");
    constexpr u32 kNotContiguous = 2;  // NONCONTIGUOUS_BIT of malloc_state::flags, behind its mutex
    u32 flags = 0;
    machine_.read_value(arena.address + sizeof(u32), flags);
    const u64 got = (flags & kNotContiguous) != 0 ? region->start : end - arena.system_bytes;
    const u64 start = (got + kAlignment - 1) / kAlignment * kAlignment;
    arena.heaps.push_back({.start = start, .end = end});
    arena.own_bytes = start - got;
  }

  /// The newest has the top; each names the one before.
  void find_heaps(Arena& arena) {
    u64 heap = word(arena.address + layout_.top) & ~(kHeapBytesMost - 1);
    for (u64 count = 0; heap != 0 && count < kHeapsMost; ++count) {
      if (word(heap + layout_.heap_arena) != arena.address)
        return trouble(heap, "this heap does not name its arena, " + hexadecimal(arena.address));
      const u64 previous = word(heap + layout_.heap_previous);
      u64 start = heap + layout_.heap_info_bytes;
      if (previous == 0) {
        start += layout_.arena_bytes;
        start = (start + kAlignment - 1) / kAlignment * kAlignment;
      }
      const u64 end = heap + std::min(word(heap + layout_.heap_size), kHeapBytesMost);
      arena.heaps.push_back({.start = start, .end = end});
      arena.own_bytes += start - heap;
      heap = previous;
    }
    std::reverse(arena.heaps.begin(), arena.heaps.end());
  }

  bool is_in_heaps(u64 address) const {
    for (const Arena& arena : found_.arenas)
      for (const Span& heap : arena.heaps)
        if (address >= heap.start && address < heap.end) return true;
    return false;
  }

  // --- lists of free chunks ---

  void read_lists(const Arena& arena) {
    if (arena.heaps.empty()) return;
    states_[word(arena.address + layout_.top)] = ChunkState::top;
    for (u64 bin = 0; bin < layout_.fast_bin_count; ++bin)
      read_linked(arena.address + layout_.fast_bins + bin * kWord, Chunk::kHeaderBytes, ChunkState::fast_bin,
                  std::nullopt);
    for (u64 bin = 1; bin <= layout_.bin_words / 2; ++bin) {
      const u64 head = arena.address + layout_.bins + (bin - 1) * 2 * kWord - Chunk::kHeaderBytes;
      read_bin(head, bin == 1           ? ChunkState::unsorted_bin
                     : bin < kSmallBins ? ChunkState::small_bin
                                        : ChunkState::large_bin);
    }
  }

  /// A list in both directions: that each link leads back is what shows that it is one.
  void read_bin(u64 head, ChunkState state) {
    u64 before = head;
    for (u64 count = 0; count < kListMost; ++count) {
      const u64 link = before + Chunk::kHeaderBytes;
      const u64 chunk = word(link);
      if (chunk == head) return;
      if (chunk == 0 || chunk % kAlignment != 0 || !is_in_heaps(chunk))
        return trouble(link, std::string("a link of the ") + name_of(state) + " leads to " +
                                 hexadecimal(chunk) + ", which is no chunk");
      if (word(chunk + Chunk::kHeaderBytes + kWord) != before)
        return trouble(chunk, std::string("this chunk of the ") + name_of(state) +
                                  " does not lead back to the one before it, " + hexadecimal(before));
      states_[chunk] = state;
      before = chunk;
    }
  }

  /// What a link says; since 2.32 it is mixed with its own place (PROTECT_PTR).
  u64 linked(u64 place) {
    const u64 link = word(place);
    return layout_.protects_links ? link ^ (place >> 12) : link;
  }

  /// A list in one direction. `head`: where its first link is, which is plain. `behind`: how far behind a
  /// chunk's start its links point. Returns the length, or nothing if the list is damaged.
  std::optional<u64> read_linked(u64 head, u64 link_offset, ChunkState state, std::optional<u64> wanted) {
    const bool to_blocks = state == ChunkState::tcache;
    u64 place = head, at = word(head), count = 0;
    for (; at != 0 && count < kListMost; ++count) {
      const u64 chunk = to_blocks ? at - Chunk::kHeaderBytes : at;
      if (at % kAlignment != 0 || !is_in_heaps(chunk) || (wanted && count >= *wanted)) {
        if (!wanted || count != 0)
          trouble(place, std::string("a link of the ") + name_of(state) + " leads to " + hexadecimal(at) +
                             ", which is no chunk");
        return std::nullopt;
      }
      states_[chunk] = state;
      place = chunk + link_offset;
      at = linked(place);
    }
    return count;
  }

  // --- a thread's cache ---

  /// The variable `tcache` points at its chunk. It has no name that can be looked up: of the words below the
  /// thread's pointer it is the one that points at such a chunk.
  void find_cache(u64 thread_pointer) {
    const u64 chunk_bytes = (layout_.tcache_bytes + kWord + kAlignment - 1) / kAlignment * kAlignment;
    std::vector<u64> words(kThreadVariablesBytes / kWord);
    const u64 start = thread_pointer - kThreadVariablesBytes;
    for (u64 number = 0; number < words.size(); ++number) words[number] = word(start + number * kWord);
    for (auto each = words.rbegin(); each != words.rend(); ++each) {
      const u64 chunk = *each - Chunk::kHeaderBytes;
      if (*each % kAlignment != 0 || !is_in_heaps(chunk) || size_of(chunk) != chunk_bytes) continue;
      if (caches_.contains(*each) || !is_cache(*each)) continue;
      caches_.insert(*each);
      for (u64 bin = 0; bin < layout_.tcache_bins; ++bin) read_cache_bin(*each, bin);
      return;
    }
  }

  u64 cache_count(u64 cache, u64 bin) {
    u16 count = 0;
    machine_.read_value(cache + layout_.tcache_counts + bin * sizeof count, count);
    return count;
  }
  u64 cache_entry(u64 cache, u64 bin) { return cache + layout_.tcache_entries + bin * kWord; }

  /// Each list has a first chunk exactly if its count is not 0.
  bool is_cache(u64 cache) {
    for (u64 bin = 0; bin < layout_.tcache_bins; ++bin) {
      const u64 first = word(cache_entry(cache, bin));
      if ((first != 0) != (cache_count(cache, bin) != 0)) return false;
      if (first != 0 && (first % kAlignment != 0 || !is_in_heaps(first))) return false;
    }
    return true;
  }

  void read_cache_bin(u64 cache, u64 bin) {
    const u64 count = cache_count(cache, bin);
    const auto length = read_linked(cache_entry(cache, bin), Chunk::kHeaderBytes, ChunkState::tcache, count);
    if (length && *length != count)
      trouble(cache_entry(cache, bin), "this list of the tcache has " + std::to_string(*length) +
                                           " chunks, its count says " + std::to_string(count));
  }

  // --- the chunks ---

  void walk(u32 arena, const Span& heap) {
    u64 at = heap.start;
    while (at + Chunk::kHeaderBytes <= heap.end) {
      const u64 field = size_field(at), size = field & ~kFlagBits;
      const u64 room = heap.end - at;
      const bool is_fence =
          size < kSmallestChunk && (size == Chunk::kHeaderBytes || room == Chunk::kHeaderBytes);
      if (is_fence) {
        add(arena, at, Chunk::kHeaderBytes, field, ChunkState::fence);
        at += Chunk::kHeaderBytes;
        continue;
      }
      if (size < kSmallestChunk || size % kAlignment != 0 || size > room) {
        const std::optional<u64> next = next_known(at, heap.end);
        trouble(at, "its size is " + hexadecimal(field) + ", which no chunk can have there" +
                        (next ? "; the next one known is " + hexadecimal(*next) : ""));
        if (!next) return;
        at = *next;
        continue;
      }
      const auto known = states_.find(at);
      const ChunkState state = known == states_.end() ? ChunkState::in_use : known->second;
      add(arena, at, size, field, state);
      if (at + size + Chunk::kHeaderBytes <= heap.end) check(at, size, state);
      at += size;
    }
  }

  void add(u32 arena, u64 at, u64 size, u64 field, ChunkState state) {
    const u8 flags = static_cast<u8>(field & kFlagBits);
    found_.chunks.push_back(
        {.address = at, .size_bytes = size, .flags = flags, .state = state, .arena = arena});
    const bool says_other = (flags & Chunk::kIsInOtherArena) != 0;
    // A top says it nowhere.
    const bool tells = state != ChunkState::fence && state != ChunkState::top;
    if (tells && says_other == found_.arenas[arena].is_main)
      trouble(at, std::string("its flags say that it is of ") + (says_other ? "another" : "the main") +
                      " arena, and it is not");
    if ((flags & Chunk::kIsMapped) != 0)
      trouble(at, "its flags say that it has a mapping of its own, and it has none");
  }

  /// What the chunk behind it says of it.
  void check(u64 at, u64 size, ChunkState state) {
    const u64 next = at + size;
    const bool is_used = (size_field(next) & Chunk::kPreviousInUse) != 0;
    const bool is_listed =
        state == ChunkState::unsorted_bin || state == ChunkState::small_bin || state == ChunkState::large_bin;
    if (is_listed && is_used)
      trouble(at, "it is free, and the chunk behind it says that it is in use");
    else if (is_listed && word(next) != size)
      trouble(at, "it is free and has " + std::to_string(size) + " bytes, the chunk behind it says " +
                      hexadecimal(word(next)));
    else if (!is_listed && !is_used && state != ChunkState::top)
      trouble(at, std::string("it is ") + (state == ChunkState::in_use ? "on no list" : "cached") +
                      ", and the chunk behind it says that it is free");
  }

  /// The first chunk behind a damaged one that a list or the program knows.
  std::optional<u64> next_known(u64 behind, u64 end) const {
    std::optional<u64> next;
    if (const auto listed = states_.upper_bound(behind); listed != states_.end() && listed->first < end)
      next = listed->first;
    const auto block = std::upper_bound(blocks_.begin(), blocks_.end(), behind + Chunk::kHeaderBytes);
    if (block != blocks_.end() && *block % kAlignment == 0 && *block - Chunk::kHeaderBytes < end &&
        (!next || *block - Chunk::kHeaderBytes < *next))
      next = *block - Chunk::kHeaderBytes;
    return next;
  }

  void find_mapped() {
    for (const u64 block : blocks_) {
      const u64 chunk = block - Chunk::kHeaderBytes, field = size_field(chunk);
      if ((field & Chunk::kIsMapped) == 0 || block % kAlignment != 0 || is_in_heaps(chunk)) continue;
      found_.mapped_chunks.push_back(
          {.address = chunk, .size_bytes = field & ~kFlagBits, .flags = static_cast<u8>(field & kFlagBits)});
    }
  }

  elf::StoppedMachine& machine_;
  const GlibcLayout& layout_;
  std::span<const u64> blocks_;
  GlibcHeap found_;
  std::map<u64, ChunkState> states_;  ///< of chunks on lists, and the tops
  std::set<u64> caches_;
};

}  // namespace

const char* name_of(ChunkState state) {
  switch (state) {
    case ChunkState::in_use:
      return "in use";
    case ChunkState::tcache:
      return "tcache";
    case ChunkState::fast_bin:
      return "fast bin";
    case ChunkState::unsorted_bin:
      return "unsorted bin";
    case ChunkState::small_bin:
      return "small bin";
    case ChunkState::large_bin:
      return "large bin";
    case ChunkState::top:
      return "top";
    case ChunkState::fence:
      return "fence";
  }
  return "";
}

u64 GlibcHeap::bytes_of(u32 arena) const {
  u64 bytes = 0;
  for (const Chunk& each : chunks) bytes += each.arena == arena ? each.size_bytes : 0;
  return bytes;
}

u64 GlibcHeap::bytes_of(u32 arena, ChunkState state) const {
  u64 bytes = 0;
  for (const Chunk& each : chunks) bytes += each.arena == arena && each.state == state ? each.size_bytes : 0;
  return bytes;
}

GlibcHeap read_glibc_heap(elf::StoppedMachine& machine, const Glibc& glibc,
                          std::span<const u64> thread_pointers, std::span<const u64> blocks) {
  return Walk(machine, glibc, blocks).go(thread_pointers);
}

}  // namespace orrery::lens::heap
