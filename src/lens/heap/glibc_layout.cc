// The main arena is an object without an exported name, so in a library without debug symbols it is known by
// its shape: the arenas form a ring that it is in, and the head of each of its 127 lists points at itself
// while the list is empty (malloc_init_state), else at a free chunk that points back.
#include "lens/heap/glibc_layout.h"

#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "base/base_name.h"
#include "elf/struct_layout_hosted.h"

namespace orrery::lens::heap {
namespace {

constexpr u64 kArenasMost = 1 << 16;

bool is_libc(const std::string& path) {
  const std::string_view name = base_name(path);
  return name.starts_with("libc.so.6") || (name.starts_with("libc-2.") && name.ends_with(".so"));
}

std::vector<u8> bytes_of(elf::StoppedMachine& machine, const elf::MappedRegion& region) {
  std::vector<u8> bytes(region.end - region.start);
  bytes.resize(machine.read(region.start, bytes));
  return bytes;
}

/// What gnu_get_libc_version() would say, from the line that the library prints of itself.
std::string version_of(elf::StoppedMachine& machine, const std::string& path) {
  constexpr std::string_view kMark = "stable release version ";
  const std::vector<elf::MappedRegion> regions = machine.regions();
  for (const elf::MappedRegion& region : regions) {
    if (region.path != path || (region.protection & PROT_WRITE) != 0) continue;
    const std::vector<u8> bytes = bytes_of(machine, region);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto at = text.find(kMark);
    if (at == std::string_view::npos || text.find("GNU C Library") == std::string_view::npos) continue;
    const std::string_view rest = text.substr(at + kMark.size(), 16);
    std::string version(rest.substr(0, rest.find_first_not_of("0123456789.")));
    while (version.ends_with('.')) version.pop_back();
    return version;
  }
  return "";
}

/// 36 of "2.36"; 0 of what is no version of glibc 2.
unsigned minor_of(const std::string& version) {
  unsigned minor = 0;
  if (version.starts_with("2.")) std::from_chars(version.data() + 2, version.data() + version.size(), minor);
  return minor;
}

/// Those members that were found replace the usual ones; false if one is missing.
bool read_debug_layout(const elf::Image& image, GlibcLayout& layout) {
  const auto arena = elf::struct_layout(image, "malloc.c", "malloc_state");
  const auto heap = elf::struct_layout(image, "malloc.c", "_heap_info");
  const auto cache = elf::struct_layout(image, "malloc.c", "tcache_perthread_struct");
  if (!arena || !heap || !cache) return false;
  bool is_whole = true;
  const auto member = [&is_whole](const elf::StructLayout& of, const char* name) {
    const auto found = of.members.find(name);
    is_whole = is_whole && found != of.members.end();
    return found != of.members.end() ? found->second : elf::StructMember{};
  };
  layout.fast_bins = member(*arena, "fastbinsY").offset;
  layout.fast_bin_count = member(*arena, "fastbinsY").elements;
  layout.top = member(*arena, "top").offset;
  layout.bins = member(*arena, "bins").offset;
  layout.bin_words = member(*arena, "bins").elements;
  layout.next = member(*arena, "next").offset;
  layout.attached_threads = member(*arena, "attached_threads").offset;
  layout.system_mem = member(*arena, "system_mem").offset;
  layout.max_system_mem = member(*arena, "max_system_mem").offset;
  layout.arena_bytes = arena->size_bytes;
  layout.heap_arena = member(*heap, "ar_ptr").offset;
  layout.heap_previous = member(*heap, "prev").offset;
  layout.heap_size = member(*heap, "size").offset;
  layout.heap_info_bytes = heap->size_bytes;
  const elf::StructMember counts = member(*cache, "counts");
  layout.tcache_counts = counts.offset;
  layout.tcache_entries = member(*cache, "entries").offset;
  layout.tcache_bins = member(*cache, "entries").elements;
  layout.tcache_bytes = cache->size_bytes;
  // Before 2.30 the counts were bytes, since 2.42 what they count is what is left: not read.
  return is_whole && counts.elements == layout.tcache_bins && counts.size_bytes == 2 * counts.elements;
}

constexpr unsigned kFirstMinor = 30, kLastMinor = 41;

/// Without debug information.
bool apply_version(unsigned minor, GlibcLayout& layout) {
  if (minor < kFirstMinor || minor > kLastMinor) return false;
  if (minor < 35) layout.heap_info_bytes = 32;
  return true;
}

class ArenaSearch {
 public:
  ArenaSearch(elf::StoppedMachine& machine, const GlibcLayout& layout) : machine_(machine), layout_(layout) {}

  std::optional<u64> find(const std::string& path) {
    const std::vector<elf::MappedRegion> regions = machine_.regions();
    for (const elf::MappedRegion& region : regions) {
      if (region.path != path || (region.protection & PROT_WRITE) == 0) continue;
      const std::vector<u8> bytes = bytes_of(machine_, region);
      for (u64 at = 0; at + layout_.arena_bytes <= bytes.size(); at += sizeof(u64))
        if (is_main_arena(region.start + at, bytes.data() + at)) return region.start + at;
    }
    return std::nullopt;
  }

 private:
  static u64 word(const u8* bytes, u64 offset) {
    u64 value = 0;
    std::copy_n(bytes + offset, sizeof value, reinterpret_cast<u8*>(&value));
    return value;
  }

  bool is_main_arena(u64 address, const u8* bytes) {
    const u64 next = word(bytes, layout_.next);
    if (next == 0 || next % sizeof(u64) != 0) return false;
    if (word(bytes, layout_.top) == 0) return next == address && is_unused(bytes);
    // A list's head is a chunk of which only the links are there, behind two words (bin_at).
    u64 empty = 0, used = 0;
    for (u64 link = 0; link + 1 < layout_.bin_words; link += 2) {
      const u64 head = address + layout_.bins + (link - 2) * sizeof(u64);
      const u64 forward = word(bytes, layout_.bins + link * sizeof(u64)),
                back = word(bytes, layout_.bins + (link + 1) * sizeof(u64));
      if (forward == head && back == head) ++empty;
      if (forward != 0 && back != 0) ++used;
    }
    return used >= layout_.bin_words / 2 - 1 && empty != 0 && is_in_ring(address, next);
  }

  /// Nothing was ever allocated: only what the object is initialised with.
  bool is_unused(const u8* bytes) const {
    if (word(bytes, layout_.attached_threads) != 1) return false;
    const u8* const first = bytes + layout_.fast_bins;
    return std::all_of(first, bytes + layout_.next, [](u8 each) { return each == 0; });
  }

  bool is_in_ring(u64 address, u64 next) {
    for (u64 seen = 0; seen < kArenasMost; ++seen) {
      if (next == address) return true;
      if (!machine_.read_value(next + layout_.next, next) || next == 0) return false;
    }
    return false;
  }

  elf::StoppedMachine& machine_;
  const GlibcLayout& layout_;
};

/// The C library, or of a static program the program.
const elf::Image* choose_image(const elf::Images& images) {
  for (const elf::Image& image : images.all())
    if (is_libc(image.path)) return &image;
  return images.all().empty() ? nullptr : &images.all().front();
}

}  // namespace

Fallible<std::optional<Glibc>> find_glibc(elf::StoppedMachine& machine, const elf::Images& images) {
  const elf::Image* const image = choose_image(images);
  if (image == nullptr) return std::optional<Glibc>();
  Glibc found{.file = image->path, .version = version_of(machine, image->path)};
  const unsigned minor = minor_of(found.version);
  const bool is_library = is_libc(image->path);
  if (is_library && found.version.empty()) return std::optional<Glibc>();  // musl's, or another's
  const bool is_debugged = read_debug_layout(*image, found.layout);
  if (!is_debugged) {
    found.layout = {};
    if (!found.version.empty() && !apply_version(minor, found.layout))
      return Failure("how glibc " + found.version +
                     " keeps its heap is not known without its debug information (package libc6-dbg)");
  }
  found.known_by = is_debugged             ? "its debug information"
                   : found.version.empty() ? "its shape"
                                           : "its version";
  if (minor != 0) found.layout.protects_links = minor >= 32;
  const std::optional<u64> named = elf::object_address(*image, "main_arena");
  const std::optional<u64> arena = named ? named : ArenaSearch(machine, found.layout).find(image->path);
  if (!arena && is_library)
    return Failure("the main arena of " + image->path + ", glibc " + found.version + ", was not found");
  if (!arena) return std::optional<Glibc>();
  found.main_arena = *arena;
  return std::optional(found);
}

}  // namespace orrery::lens::heap
