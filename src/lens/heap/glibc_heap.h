// The chunks of glibc's malloc in a stopped process: its heaps are walked from chunk to chunk, and its lists
// tell which of them are free.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lens/heap/glibc_layout.h"

namespace orrery::lens::heap {

/// Where a chunk is. A program's own are in use; those of a thread's cache (tcache) and of fast bins are
/// free, but look as if they were in use.
enum class ChunkState : u8 { in_use, tcache, fast_bin, unsorted_bin, small_bin, large_bin, top, fence };
const char* name_of(ChunkState state);

struct Chunk {
  static constexpr u64 kHeaderBytes = 16;  ///< before the block: the size before it, and its own
  // The lowest bits of the size (malloc.c: PREV_INUSE, IS_MMAPPED, NON_MAIN_ARENA).
  static constexpr u8 kPreviousInUse = 1, kIsMapped = 2, kIsInOtherArena = 4;

  u64 address = 0;  ///< of the header
  u64 size_bytes = 0;
  u8 flags = 0;
  ChunkState state = ChunkState::in_use;
  u32 arena = 0;

  u64 block() const { return address + kHeaderBytes; }
  /// What a program may use of it: the next chunk's first word is its own too while it is in use.
  u64 usable_bytes() const {
    return size_bytes - ((flags & kIsMapped) != 0 ? kHeaderBytes : kHeaderBytes / 2);
  }
  bool is_free() const { return state != ChunkState::in_use && state != ChunkState::fence; }
};

struct Span {
  u64 start = 0, end = 0;
};

struct Arena {
  u64 address = 0;  ///< of its malloc_state
  bool is_main = false;
  u64 system_bytes = 0, system_bytes_most = 0;  ///< that it has, and had, of the kernel
  u64 threads = 0;                              ///< attached to it
  std::vector<Span> heaps{};                    ///< what of them may be used
  u64 own_bytes = 0;                            ///< of the heaps, before their first chunks
};

/// What does not fit together.
struct HeapTrouble {
  u64 address = 0;  ///< of a chunk's header, or of a list's link
  std::string words{};
};

struct GlibcHeap {
  Glibc glibc{};
  std::vector<Arena> arenas{};
  std::vector<Chunk> chunks{};         ///< by arena, in order of addresses
  std::vector<Chunk> mapped_chunks{};  ///< those of `blocks` that have a mapping of their own
  std::vector<HeapTrouble> troubles{};

  /// Bytes of the chunks of an arena, all or those in a state.
  u64 bytes_of(u32 arena) const;
  u64 bytes_of(u32 arena, ChunkState state) const;
};

/// `thread_pointers`: fs bases of its tasks, by which their caches are found. `blocks`: addresses of blocks
/// that are known to be live, sorted: the walk goes on at one of them behind a damaged header.
GlibcHeap read_glibc_heap(elf::StoppedMachine& machine, const Glibc& glibc,
                          std::span<const u64> thread_pointers, std::span<const u64> blocks);

}  // namespace orrery::lens::heap
