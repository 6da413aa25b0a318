// mprotect, mlock and mseal: they walk the regions of a range, change each, and stop at a hole with
// what came before already changed, as the kernel does (mm/mprotect.c, mm/mlock.c, mm/mseal.c).
#include <cerrno>

#include "memory/address_space.h"
#include "memory/linux_memory.h"

namespace orrery::memory {

namespace {

constexpr int kGrows = PROT_GROWSDOWN | PROT_GROWSUP;

}  // namespace

i64 AddressSpace::mprotect(u64 address, u64 size_bytes, int protection) {
  const int grows = protection & kGrows;
  protection &= ~kGrows;
  if (grows == kGrows || address % kPageBytes != 0) return -EINVAL;
  if (size_bytes == 0) return 0;
  Span left{address, address + page_ceil(size_bytes)};
  if (left.end <= left.start) return -ENOMEM;
  if ((protection & ~(kAccessBits | kProtectionSemaphore)) != 0) return -EINVAL;
  protection &= kAccessBits;

  Position at = regions_.first_ending_above(left.start);
  if (regions_.is_end(at) || regions_.at(at).start >= left.end) return -ENOMEM;
  if (grows == PROT_GROWSDOWN) {
    left.start = regions_.at(at).start;
    if ((regions_.at(at).flags & MAP_GROWSDOWN) == 0) return -EINVAL;
  } else if (regions_.at(at).start > left.start) {
    return -ENOMEM;
  } else if (grows == PROT_GROWSUP) {
    return -EINVAL;  // x86 has no upward stacks
  }
  while (!regions_.is_end(at) && regions_.at(at).start <= left.start) {
    const Span span{left.start, std::min(left.end, regions_.at(at).end)};
    if (const i64 error = change_protection(at, span, protection); error != 0) return error;
    left.start = span.end;
    if (left.start == left.end) return 0;
    at = regions_.first_ending_above(left.start);
  }
  return -ENOMEM;
}

/// `span` lies in the region at `at`.
i64 AddressSpace::change_protection(Position at, Span span, int protection) {
  const Region region = regions_.at(at);
  if ((protection & ~region.protection_most) != 0) return -EACCES;
  if (region.has(kSealed)) return -EPERM;
  if (protection == region.protection) return 0;
  if (region.on_paper) return refuse(span, protection);
  if (!can_split(span)) return -ENOMEM;
  const bool becomes_data = (protection & PROT_WRITE) != 0 && !region.writable() && !region.shared();
  if (becomes_data && usage_.data_bytes + span.size_bytes() > limits_.data_bytes) return -ENOMEM;

  // Code that may no longer run must be translated afresh when it may again: it can change unseen.
  if (region.executable() && (protection & PROT_EXEC) == 0) end_code(region, span);
  const int host = host_protection(protection, false);
  if (host != host_protection(region.protection, false))
    if (const i64 error = backend_.protect(span.start, span.size_bytes(), host); error != 0) return error;
  if (region.watched && (host & PROT_WRITE) != 0) {
    Region becoming = region;
    becoming.start = span.start;
    becoming.end = span.end;
    becoming.protection = protection;
    for (auto run = watched_pages_.next_run(span.start, span.end); !run.empty();
         run = watched_pages_.next_run(run.end, span.end))
      protect_watched(becoming, {run.start, run.end});
  }
  alter(span, [&](Region& changed) { changed.protection = protection; });
  protect_aliases(span);
  if (becomes_data && region.has(kLocked) && !region.has(kLockedOnFault)) (void)populate(span, PROT_WRITE);
  return 0;
}

/// mm/mseal.c: all of the range must be mapped; then all of it is sealed.
i64 AddressSpace::mseal(u64 address, u64 size_bytes) {
  const u64 bytes = page_ceil(size_bytes);
  if (address % kPageBytes != 0 || (size_bytes != 0 && bytes == 0) || address + bytes < address)
    return -EINVAL;
  if (bytes == 0) return 0;
  const Span span{address, address + bytes};
  u64 reached = span.start;
  while (reached < span.end) {
    const Region* const region = find(reached);
    if (region == nullptr) return -ENOMEM;
    reached = region->end;
  }
  if (!can_split(span)) return -ENOMEM;
  alter(span, [](Region& region) { region.attributes |= kSealed; });
  return 0;
}

i64 AddressSpace::change_attributes(Span span, u16 set, u16 cleared) {
  if (!can_split(span)) return -ENOMEM;
  alter(span,
        [&](Region& region) { region.attributes = static_cast<u16>((region.attributes & ~cleared) | set); });
  return 0;
}

i64 AddressSpace::lock(u64 address, u64 size_bytes, u16 attributes) {
  const u64 bytes = page_ceil(size_bytes + address % kPageBytes);
  const u64 start = page_floor(address);
  if (attributes != 0) {
    if (limits_.locked_bytes == 0) return -EPERM;
    u64 already = 0;  // kernel: count_mm_mlocked_page_nr()
    for (Position at = regions_.first_ending_above(start);
         !regions_.is_end(at) && regions_.at(at).start < start + bytes; at = regions_.next(at)) {
      const Region& region = regions_.at(at);
      if (region.has(kLocked)) already += std::min(region.end, start + bytes) - std::max(region.start, start);
    }
    if (bytes > limits_.locked_bytes || usage_.locked_bytes - already + bytes > limits_.locked_bytes)
      return -ENOMEM;
  }
  if (start + bytes < start) return -EINVAL;
  u64 reached = start;
  while (reached < start + bytes) {
    const Region* const region = find(reached);
    if (region == nullptr) return -ENOMEM;
    const Span span{reached, std::min(region->end, start + bytes)};
    if (const i64 error = change_attributes(span, attributes, kLocked | kLockedOnFault); error != 0)
      return error;
    reached = span.end;
  }
  if (attributes != kLocked) return 0;
  // The pages are brought in at once; where that fails the call does, with the locks kept (__mm_populate).
  return populate({start, start + bytes}, kAccessBits) == 0 ? 0 : -ENOMEM;
}

/// mm/mlock.c: apply_mlockall_flags().
void AddressSpace::lock_all(int flags) {
  const u16 wanted = kLocked | ((flags & MCL_ONFAULT) != 0 ? kLockedOnFault : 0);
  attributes_later_ = (flags & MCL_FUTURE) != 0 ? wanted : 0;
  if ((flags & MCL_FUTURE) != 0 && (flags & MCL_CURRENT) == 0) return;
  (void)change_attributes({0, kTaskSize}, (flags & MCL_CURRENT) != 0 ? wanted : 0, kLocked | kLockedOnFault);
  if (wanted != kLocked || (flags & MCL_CURRENT) == 0) return;
  for (const Region* region = find_at_or_above(0); region != nullptr;) {
    const Span span{region->start, region->end};
    (void)populate(span, kAccessBits);
    region = find_at_or_above(span.end);
  }
}

void AddressSpace::begin_child() {
  (void)change_attributes({0, kTaskSize}, 0, kLocked | kLockedOnFault);
  attributes_later_ = 0;
  std::vector<Region> special;
  for (const Region& region : regions_)
    if (region.has(kNotInFork | kWipeOnFork)) special.push_back(region);
  for (const Region& region : special) {
    const Span span{region.start, region.end};
    if (!region.has(kNotInFork)) {
      (void)discard(span);
      continue;
    }
    if (!region.on_paper) (void)backend_.unmap(span.start, span.size_bytes());
    forget(span);
  }
}

}  // namespace orrery::memory
