// The guest's own map: regions, protections, names, and the semantics of mmap, munmap, mprotect,
// mremap, brk and madvise as the kernel has them (mm/mmap.c, mm/mprotect.c, mm/mremap.c). It is the
// authority on EFAULT: whether the guest may read or write an address is answered here, not by the host.
// One per guest process; used by the kernel (system calls), the translator (fetch, watching code) and
// the machine (faults). All state lies in the engine's heap.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "memory/backend.h"
#include "memory/code_watch.h"

namespace orrery::memory {

/// What a region is for. The layout policy and the reports use it; the guest does not see it.
enum class RegionKind : u8 { anonymous, file, heap, stack, vdso };

struct Region {
  u64 start = 0;
  u64 end = 0;             ///< exclusive
  int protection = 0;      ///< PROT_* as the guest set it
  int flags = 0;           ///< MAP_SHARED or MAP_PRIVATE, MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_NORESERVE
  RegionKind kind = RegionKind::anonymous;
  u32 file = 0;            ///< index into AddressSpace::files() + 1; 0 if none
  u64 offset = 0;          ///< file offset of `start`
  bool watched = false;    ///< some page of it holds translated code (see watch_code)
};

/// A file that is or was mapped: what /proc/self/maps prints and a report names.
struct MappedFile {
  std::vector<char> path;
  u32 device_major = 0, device_minor = 0;
  u64 inode = 0;
};

enum class Access : u8 { read = 1, write = 2, execute = 4 };

class AddressSpace {
 public:
  explicit AddressSpace(Backend& backend);

  // --- the system calls, guest semantics, results as the kernel's ---
  struct MmapArguments {
    u64 address = 0, size_bytes = 0;
    int protection = 0, flags = 0, fd = -1;
    u64 offset = 0;
    u32 file = 0;              ///< as Region::file
    RegionKind kind = RegionKind::anonymous;
    bool is_image = false;     ///< an ELF image's first mapping: wants to lie near the code cache
    u64 file_size_bytes = ~u64{0};
  };
  i64 mmap(const MmapArguments& arguments);
  i64 munmap(u64 address, u64 size_bytes);
  i64 mprotect(u64 address, u64 size_bytes, int protection);
  i64 mremap(u64 old_address, u64 old_bytes, u64 new_bytes, int flags, u64 new_address);
  i64 madvise(u64 address, u64 size_bytes, int advice);
  i64 brk(u64 wanted);  ///< returns the new (or unchanged) break

  /// Forgets and unmaps everything of the guest's (exec).
  void clear();
  u32 add_file(MappedFile file);  ///< returns Region::file
  std::span<const MappedFile> files() const { return files_; }

  // --- questions ---
  const Region* find(u64 address) const;              ///< the region that holds it, or null
  std::span<const Region> regions() const;            ///< sorted by start
  /// How many bytes from `address` on the guest may access this way; stops at the first that it may not.
  u64 accessible_bytes(u64 address, u64 size_bytes, Access access) const;
  bool accessible(u64 address, u64 size_bytes, Access access) const {
    return accessible_bytes(address, size_bytes, access) == size_bytes;
  }

  // --- guest memory from engine code; false (and nothing or a prefix done) means EFAULT ---
  [[nodiscard]] bool read(u64 address, std::span<u8> out) const;
  [[nodiscard]] bool write(u64 address, std::span<const u8> in);
  template <class T>
  [[nodiscard]] bool read_value(u64 address, T& value) const {
    return read(address, {reinterpret_cast<u8*>(&value), sizeof value});
  }
  template <class T>
  [[nodiscard]] bool write_value(u64 address, const T& value) {
    return write(address, {reinterpret_cast<const u8*>(&value), sizeof value});
  }
  /// The bytes of a C string without its NUL. -EFAULT, or -ENAMETOOLONG past `most_bytes`; else its length.
  i64 read_string(u64 address, u64 most_bytes, std::vector<char>& out) const;

  // --- code ---
  /// Code was translated from the page at `page`: from now on a guest write to it is announced. If the
  /// guest may write it, it is write-protected on the host.
  void watch_code(u64 page);
  /// The host kernel or the engine is about to write here: un-protects watched pages and announces them.
  void prepare_write(u64 address, u64 size_bytes);
  /// A host write fault at `address`: true if it hit a watched page, which is now writable and announced.
  bool handle_write_fault(u64 address);
  /// A fault just below a MAP_GROWSDOWN region: true if the region grew to cover it.
  bool handle_stack_growth(u64 address, u64 stack_limit_bytes);
  CodeWatch& code() { return code_; }

  /// The protection the host page gets: guest code is never executed where it lies.
  static int host_protection(int guest_protection, bool write_watched);

  // Layout of the heap, set by exec.
  void set_brk(u64 start);
  u64 brk_start() const { return brk_start_; }
  u64 brk_end() const { return brk_end_; }

 private:
  Backend& backend_;
  CodeWatch code_;
  std::vector<Region> regions_;
  std::vector<MappedFile> files_;
  std::vector<u64> watched_pages_;  ///< the memory room may replace this by a better set
  u64 brk_start_ = 0, brk_end_ = 0;
};

}  // namespace orrery::memory
