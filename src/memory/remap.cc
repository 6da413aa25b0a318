// mremap, as Linux 6.17 and later have it (mm/mremap.c): a MREMAP_FIXED move without a change of size may
// span several regions and holes; everything else concerns one region.
//
// The host's VMAs may be cut differently from our regions, and mremap(2) on the host fails with EFAULT
// across a boundary, so a move is made whole if the host can and else in halves (move_host_pieces), and
// a mapping grows in place by its last page. Write protection for watched code is lifted before a move,
// so that it neither splits the host's VMAs nor travels along.
//
// MREMAP_DONTUNMAP of a private file mapping is EINVAL, as before Linux 5.13: the source would have to be
// mapped afresh from a file that may be closed.
#include <cerrno>

#include "memory/address_space.h"
#include "memory/linux_memory.h"
#include "memory/reserved.h"

namespace orrery::memory {

namespace {

constexpr int kPlaced = MREMAP_FIXED | MREMAP_DONTUNMAP;

}  // namespace

i64 AddressSpace::mremap(u64 old_address, u64 old_bytes, u64 new_bytes, int flags, u64 new_address) {
  Remap remap{old_address, page_ceil(old_bytes), new_address, page_ceil(new_bytes), flags};
  if (const i64 error = check_remap(remap); error != 0) return error;
  if ((flags & MREMAP_FIXED) != 0 && remap.from_bytes == remap.to_bytes) return remap_each(remap);
  if (const i64 error = check_remap_source(remap); error != 0) return error;
  return (flags & kPlaced) != 0 ? remap_to(remap) : remap_in_place_or_move(remap);
}

/// check_mremap_params().
i64 AddressSpace::check_remap(const Remap& remap) const {
  if ((remap.flags & ~(MREMAP_MAYMOVE | kPlaced)) != 0 || remap.from % kPageBytes != 0) return -EINVAL;
  if (remap.to_bytes == 0 || remap.to_bytes > kTaskSize) return -EINVAL;
  if ((remap.flags & kPlaced) == 0) return 0;
  if (remap.to > kTaskSize - remap.to_bytes || remap.to % kPageBytes != 0) return -EINVAL;
  if ((remap.flags & MREMAP_MAYMOVE) == 0) return -EINVAL;
  if ((remap.flags & MREMAP_DONTUNMAP) != 0 && remap.from_bytes != remap.to_bytes) return -EINVAL;
  if (remap.from + remap.from_bytes > remap.to && remap.to + remap.to_bytes > remap.from) return -EINVAL;
  return regions_.size() + 2 >= 65530 - 3 ? -ENOMEM : 0;
}

/// check_prep_vma().
i64 AddressSpace::check_remap_source(const Remap& remap) const {
  const Region* const region = find(remap.from);
  if (region == nullptr) return -EFAULT;
  if (region->has(kSealed)) return -EPERM;
  const bool maps_new = remap.to_bytes > remap.from_bytes || (remap.flags & kPlaced) != 0;
  if (!maps_new) return 0;
  if (remap.from_bytes == 0 && !region->shared()) return -EINVAL;
  const bool private_file = !region->shared() && !region->private_anonymous();
  if ((remap.flags & MREMAP_DONTUNMAP) != 0 && private_file) return -EINVAL;
  if (std::min(remap.from_bytes, remap.to_bytes) > region->end - remap.from) return -EFAULT;
  if (remap.to_bytes <= remap.from_bytes) return 0;
  const u64 more = remap.to_bytes - remap.from_bytes;
  if (region->has(kLocked) && usage_.locked_bytes + more > limits_.locked_bytes) return -EAGAIN;
  if (!may_expand(more, region->writable() && !region->shared())) return -ENOMEM;
  return 0;
}

/// remap_move(): every region of the range, holes kept.
i64 AddressSpace::remap_each(Remap remap) {
  const u64 end = remap.from + remap.from_bytes;
  i64 result = -EFAULT;
  bool is_first = true;
  u64 source = remap.from, target = remap.to;
  for (;;) {
    const Region* const region = find_at_or_above(source);
    if (region == nullptr || region->start >= end) return result;
    if (is_first && region->start > source) return -EFAULT;
    const u64 from = std::max(region->start, source);
    const u64 bytes = std::min(end, region->end) - from;
    const Remap piece{from, bytes, target + (from - source), bytes, remap.flags};
    if (const i64 error = check_remap_source(piece); error != 0) return error;
    const i64 moved = remap_to(piece);
    if (moved < 0) return moved;
    if (is_first) result = moved;
    is_first = false;
    target = piece.to + bytes;
    source = from + bytes;
  }
}

/// mremap_to(): to a place the guest names, or with the source left behind empty.
i64 AddressSpace::remap_to(Remap remap) {
  if ((remap.flags & MREMAP_FIXED) != 0) {
    const Span target{remap.to, remap.to + remap.to_bytes};
    if (const i64 error = unmap_span(target); error != 0) return error;
    if (find(remap.from) == nullptr) return -EFAULT;
  }
  if (remap.to_bytes < remap.from_bytes) {
    if (const i64 error = munmap(remap.from + remap.to_bytes, remap.from_bytes - remap.to_bytes); error != 0)
      return error;
    remap.from_bytes = remap.to_bytes;
  }
  const Region& region = *find(remap.from);
  const bool is_data = region.writable() && !region.shared();
  if ((remap.flags & MREMAP_DONTUNMAP) != 0 && !may_expand(remap.to_bytes, is_data)) return -ENOMEM;
  if ((remap.flags & MREMAP_FIXED) == 0) {
    const auto place = hint_is_free(remap.to, remap.to_bytes)
                           ? remap.to
                           : place_by_policy(remap.to_bytes, region.executable());
    if (!place) return -ENOMEM;
    remap.to = *place;
  }
  if (remap.to < kLowestAddress) return -EPERM;
  return move_region(remap);
}

/// mremap_at().
i64 AddressSpace::remap_in_place_or_move(Remap remap) {
  const i64 stays = static_cast<i64>(remap.from);
  if (remap.to_bytes == remap.from_bytes) return stays;
  if (remap.to_bytes < remap.from_bytes) {
    const i64 error = munmap(remap.from + remap.to_bytes, remap.from_bytes - remap.to_bytes);
    return error != 0 ? error : stays;
  }
  const Region region = *find(remap.from);
  const u64 end = remap.from + remap.to_bytes;
  if (remap.from + remap.from_bytes == region.end && end > region.end && end <= kTaskSize) {
    const Region* const next = find_at_or_above(region.end);
    const bool is_free = (next == nullptr || next->start >= end) && !overlaps_reserved(region.end, end);
    if (is_free) return grow_in_place(region, end) == 0 ? stays : -ENOMEM;
  }
  if ((remap.flags & MREMAP_MAYMOVE) == 0) return -ENOMEM;
  const auto place = place_by_policy(remap.to_bytes, region.executable());
  if (!place) return -ENOMEM;
  remap.to = *place;
  return move_region(remap);
}

/// Makes `region` end at `end`; the space behind it is free.
i64 AddressSpace::grow_in_place(const Region& region, u64 end) {
  Region tail = region;
  tail.start = region.end;
  tail.end = end;
  tail.watched = false;
  tail.offset = region.private_anonymous() ? 0 : region.offset_of(region.end);
  if (region.on_paper) return refuse({tail.start, tail.end}, region.protection);
  if (region.private_anonymous()) {
    if (const i64 error = map_host(tail, -1); error != 0) return error;
  } else {
    const u64 last = region.end - kPageBytes;
    if (const i64 error = backend_.move(last, kPageBytes, last, end - last); error != 0) return error;
    if (region.watched)
      if (const i64 error =
              backend_.protect(tail.start, tail.size_bytes(), host_protection(region.protection, false));
          error != 0)
        return error;
  }
  insert(tail);
  merge(tail.start, tail.start);
  protect_aliases({tail.start, tail.end});
  if (tail.has(kLocked)) (void)populate({tail.start, tail.end}, kAccessBits);
  return 0;
}

/// move_vma(): the target is free, the source lies in one region (or is empty: a shared duplicate).
i64 AddressSpace::move_region(const Remap& remap) {
  const Region region = *find(remap.from);
  const Span source{remap.from, remap.from + remap.from_bytes};
  const Span target{remap.to, remap.to + remap.to_bytes};
  if (overlaps_reserved(target.start, target.end) || region.on_paper)
    return refuse(target, region.protection);
  if (!can_split(source)) return -ENOMEM;
  end_code(region, source);
  if (const i64 error = move_host(region, remap); error != 0) return error;

  Region moved = region;
  moved.start = target.start;
  moved.end = target.end;
  moved.watched = false;
  moved.offset = region.private_anonymous() ? 0 : region.offset_of(remap.from);
  const bool keeps_source = (remap.flags & MREMAP_DONTUNMAP) != 0;
  if (!keeps_source) forget(source);
  insert(moved);
  merge(target.start, target.end);
  // The kernel unlocks all of the region that the source lies in, not the source alone (dontunmap_complete).
  if (keeps_source && region.has(kLocked))
    (void)change_attributes({region.start, region.end}, 0, kLocked | kLockedOnFault);
  protect_aliases(target);
  const u64 kept_bytes = std::min(remap.from_bytes, remap.to_bytes);
  if (moved.has(kLocked)) (void)populate({target.start + kept_bytes, target.end}, kAccessBits);
  return static_cast<i64>(target.start);
}

i64 AddressSpace::move_host(const Region& region, const Remap& remap) {
  const bool keeps_source = (remap.flags & MREMAP_DONTUNMAP) != 0;
  // A move of nothing duplicates a shared mapping, which is also what a source left behind looks like.
  if (remap.from_bytes == 0 || (keeps_source && region.shared()))
    return backend_.move(remap.from, 0, remap.to, remap.to_bytes);
  i64 error = backend_.move(remap.from, remap.from_bytes, remap.to, remap.to_bytes);
  if (error == -EFAULT) {
    error = move_host_pieces(remap.from, remap.from_bytes, remap.to);
    if (error == 0 && remap.to_bytes > remap.from_bytes) {
      const u64 last = remap.to + remap.from_bytes - kPageBytes;
      error = backend_.move(last, kPageBytes, last, remap.to + remap.to_bytes - last);
    }
  }
  if (error != 0 || !keeps_source) return error;
  Region left_behind = region;
  left_behind.start = remap.from;
  left_behind.end = remap.from + remap.from_bytes;
  return map_host(left_behind, -1);
}

/// Moves in halves until each half lies in one VMA of the host's; on failure what was moved goes back.
i64 AddressSpace::move_host_pieces(u64 from, u64 bytes, u64 to) {
  const i64 error = backend_.move(from, bytes, to, bytes);
  if (error != -EFAULT || bytes == kPageBytes) return error;
  const u64 half = page_floor(bytes / 2);
  if (const i64 lower = move_host_pieces(from, half, to); lower != 0) return lower;
  const i64 upper = move_host_pieces(from + half, bytes - half, to + half);
  if (upper != 0) (void)move_host_pieces(to, half, from);
  return upper;
}

}  // namespace orrery::memory
