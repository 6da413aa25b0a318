// glibc's malloc as it lies in memory (malloc/malloc.c, malloc/arena.c): where the members of its structures
// are, and where its main arena is.
#pragma once

#include <optional>
#include <string>

#include "base/failure_hosted.h"
#include "elf/images_hosted.h"
#include "elf/stopped_machine_hosted.h"

namespace orrery::lens::heap {

/// Of x86-64; the values are those of glibc 2.35 to 2.41.
struct GlibcLayout {
  // struct malloc_state: an arena.
  u64 fast_bins = 16, fast_bin_count = 10;
  u64 top = 96;
  u64 bins = 112, bin_words = 254;
  u64 next = 2160;
  u64 attached_threads = 2176;
  u64 system_mem = 2184, max_system_mem = 2192;
  u64 arena_bytes = 2200;
  // struct _heap_info: what an arena other than the main one got at once.
  u64 heap_arena = 0, heap_previous = 8, heap_size = 16;
  u64 heap_info_bytes = 48;
  // struct tcache_perthread_struct.
  u64 tcache_counts = 0, tcache_entries = 128, tcache_bins = 64;
  u64 tcache_bytes = 640;
  bool protects_links = true;  ///< since 2.32: a link in a list is mixed with its own place
};

/// A C library that has it.
struct Glibc {
  std::string file{};     ///< the library, or the program that it is linked into
  std::string version{};  ///< "2.36"; "" if it does not say
  u64 main_arena = 0;
  std::string known_by{};  ///< how the layout is known: "its debug information" or "its version"
  GlibcLayout layout{};
};

/// Of the process that stands there. Nothing if it has no glibc; fails with a sentence if it has one whose
/// structures are not known.
Fallible<std::optional<Glibc>> find_glibc(elf::StoppedMachine& machine, const elf::Images& images);

}  // namespace orrery::lens::heap
