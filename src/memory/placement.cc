// Where a mapping goes when the guest leaves it to us. The host's own choice is never used: places
// depend only on what is mapped, so that a replay finds the same.
//
// Images and anonymous code lie in kNear, within reach of the code cache's 32-bit displacements; other
// memory lies below, in kFar; reservations too large for that in kHuge, outside the code windows. All
// are filled from the top, as the kernel's mmap area is. MAP_32BIT lies in the low window.
//
// A hint is taken if it is free and lies in a window where code may lie; the kernel would take any free
// one, but nobody may rely on that (mmap(2)), and outside the windows code would run slowly.
#include "memory/address_space.h"
#include "memory/reserved.h"

namespace orrery::memory {

namespace {

constexpr layout::Range k32Bit{0x1000'0000, layout::kLowWindow.end};
constexpr u64 kHugeBytesFirst = 64 * layout::kGiB;
constexpr u64 kHugePageBytes = 2 * layout::kMiB;

bool in_window(u64 address, u64 bytes) {
  for (const layout::Range& window : {layout::kLowWindow, layout::kMiddleWindow, layout::kHighWindow})
    if (address >= window.start && address < window.end && bytes <= window.end - address) return true;
  return false;
}

/// ld.so maps a library's first segment with MAP_DENYWRITE, whatever its protection.
bool is_image_part(const AddressSpace::MmapArguments& arguments) {
  const bool is_private_file = (arguments.flags & (MAP_ANONYMOUS | MAP_PRIVATE)) == MAP_PRIVATE;
  return arguments.is_image || (arguments.protection & PROT_EXEC) != 0 ||
         (is_private_file && (arguments.flags & MAP_DENYWRITE) != 0);
}

}  // namespace

bool AddressSpace::hint_is_free(u64 address, u64 bytes) const {
  if (!in_window(address, bytes) || overlaps_reserved(address, address + bytes)) return false;
  const Region* const next = find_at_or_above(address);
  return next == nullptr || address + bytes <= next->lower_edge();
}

std::optional<u64> AddressSpace::place_by_policy(u64 bytes, bool is_code) const {
  // Whole huge pages are aligned to them, as the kernel does since 6.7 (thp_get_unmapped_area).
  const u64 align = bytes % kHugePageBytes == 0 ? kHugePageBytes : kPageBytes;
  if (is_code)
    if (const auto place = regions_.find_gap_below(places_->near.start, places_->near.end, bytes, kPageBytes))
      return place;
  if (bytes < kHugeBytesFirst)
    if (const auto place = regions_.find_gap_below(places_->far.start, places_->far.end, bytes, align))
      return place;
  return regions_.find_gap_below(places_->huge.start, places_->huge.end, bytes, align);
}

std::optional<u64> AddressSpace::place(const MmapArguments& arguments, u64 bytes) const {
  const u64 hint = page_floor(arguments.address);
  if ((arguments.flags & MAP_32BIT) != 0) {
    if (hint != 0 && hint < layout::kLowWindow.end && hint_is_free(hint, bytes)) return hint;
    return regions_.find_gap_below(k32Bit.start, k32Bit.end, bytes, kPageBytes);
  }
  if (hint != 0 && hint_is_free(hint, bytes)) return hint;
  return place_by_policy(bytes, is_image_part(arguments));
}

}  // namespace orrery::memory
