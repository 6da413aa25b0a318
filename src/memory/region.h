// One region of the guest's map: what the kernel calls a VMA.
#pragma once

#include <sys/mman.h>

#include <vector>

#include "base/hash.h"
#include "base/types.h"

namespace orrery::memory {

/// What a region is for. The layout policy and the reports use it; the guest does not see it.
enum class RegionKind : u8 { anonymous, file, heap, stack, vdso };

/// What mlock, madvise and mseal leave on a region. Regions that differ here are not merged.
enum Attribute : u16 {
  kLocked = 1 << 0,
  kLockedOnFault = 1 << 1,
  kSequential = 1 << 2,
  kRandom = 1 << 3,
  kNotInFork = 1 << 4,   ///< MADV_DONTFORK: a child does not get the region
  kWipeOnFork = 1 << 5,  ///< MADV_WIPEONFORK: a child finds zeros
  kNotInDump = 1 << 6,
  kMergeable = 1 << 7,
  kHugePages = 1 << 8,
  kNoHugePages = 1 << 9,
  kSealed = 1 << 10,
};

inline constexpr int kAccessBits = PROT_READ | PROT_WRITE | PROT_EXEC;

struct Region {
  u64 start = 0;
  u64 end = 0;         ///< exclusive
  int protection = 0;  ///< PROT_* as the guest set it
  int flags = 0;       ///< MAP_SHARED or MAP_PRIVATE, MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_NORESERVE
  RegionKind kind = RegionKind::anonymous;
  u8 protection_most = kAccessBits;  ///< what mprotect may give it (VM_MAY*)
  u16 attributes = 0;                ///< Attribute bits
  u32 file = 0;                      ///< index into AddressSpace::files() + 1; 0 if none
  u64 offset = 0;                    ///< file offset of `start`; of shared anonymous memory: into the object
  u64 object = 0;                    ///< identity of the bytes behind a file or shared mapping; 0: its own
  bool watched = false;              ///< some page of it may be in the set of watched pages (see watch_code)
  bool on_paper = false;             ///< PROT_NONE over a range of the engine's: nothing is mapped for it

  u64 size_bytes() const { return end - start; }
  bool contains(u64 address) const { return address >= start && address < end; }
  bool writable() const { return (protection & PROT_WRITE) != 0; }
  bool executable() const { return (protection & PROT_EXEC) != 0; }
  bool shared() const { return (flags & MAP_SHARED) != 0; }
  bool private_anonymous() const { return !shared() && object == 0 && file == 0; }
  bool has(u16 attribute) const { return (attributes & attribute) != 0; }
  /// The object's offset that `address` shows.
  u64 offset_of(u64 address) const { return offset + (address - start); }
  /// A growing region keeps its guard gap free (kernel: stack_guard_gap, vm_start_gap).
  u64 lower_edge() const;

  /// Whether `next`, which begins where this ends, is its continuation in every respect (kernel:
  /// can_vma_merge_after). Watching is ours and does not count.
  bool continues_in(const Region& next) const;
};

inline constexpr u64 kStackGuardBytes = 256 * kPageBytes;

inline u64 Region::lower_edge() const {
  if ((flags & MAP_GROWSDOWN) == 0) return start;
  return start > kStackGuardBytes ? start - kStackGuardBytes : 0;
}

inline bool Region::continues_in(const Region& next) const {
  return end == next.start && protection == next.protection && flags == next.flags && kind == next.kind &&
         protection_most == next.protection_most && attributes == next.attributes && file == next.file &&
         object == next.object && on_paper == next.on_paper &&
         (private_anonymous() || offset + size_bytes() == next.offset);
}

/// A file that is or was mapped: what /proc/self/maps prints and a report names.
struct MappedFile {
  std::vector<char> path;
  u32 device_major = 0, device_minor = 0;
  u64 inode = 0;
};

/// Region::object of a file: its bytes are one object under all its names. Never has kAnonymousObject.
inline constexpr u64 kAnonymousObject = u64{1} << 63;
inline u64 file_object(const MappedFile& file) {
  const u64 numbers[] = {file.device_major, file.device_minor, file.inode};
  return (xxh64({reinterpret_cast<const u8*>(numbers), sizeof numbers}) & ~kAnonymousObject) | 1;
}

}  // namespace orrery::memory
