// madvise (mm/madvise.c). Advice that changes what the guest can read back is carried out (DONTNEED, FREE,
// REMOVE); advice about forks and dumps is kept on the region for whoever forks or dumps; the rest is only
// checked. MADV_FREE is made MADV_DONTNEED, because when the host drops the pages is chance (design.md,
// invariant 3). The guard pages of Linux 6.13 (102, 103) are unknown here, as they were before.
#include <cerrno>

#include "memory/address_space.h"
#include "memory/guarded_copy.h"
#include "memory/linux_memory.h"

namespace orrery::memory {

namespace {

/// What an advice does to a region's attributes.
struct AttributeRow {
  int advice;
  u16 set;
  u16 cleared;
};
constexpr AttributeRow kAttributeRows[] = {
    {MADV_NORMAL, 0, kSequential | kRandom},
    {MADV_RANDOM, kRandom, kSequential},
    {MADV_SEQUENTIAL, kSequential, kRandom},
    {MADV_DONTFORK, kNotInFork, 0},
    {MADV_DOFORK, 0, kNotInFork},
    {MADV_WIPEONFORK, kWipeOnFork, 0},
    {MADV_KEEPONFORK, 0, kWipeOnFork},
    {MADV_DONTDUMP, kNotInDump, 0},
    {MADV_DODUMP, 0, kNotInDump},
    {MADV_MERGEABLE, kMergeable, 0},
    {MADV_UNMERGEABLE, 0, kMergeable},
    {MADV_HUGEPAGE, kHugePages, kNoHugePages},
    {MADV_NOHUGEPAGE, kNoHugePages, kHugePages},
};

const AttributeRow* attribute_row(int advice) {
  for (const AttributeRow& row : kAttributeRows)
    if (row.advice == advice) return &row;
  return nullptr;
}

bool is_known(int advice) {
  switch (advice) {
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_REMOVE:
    case kMadvFree:
    case kMadvCold:
    case kMadvPageout:
    case kMadvPopulateRead:
    case kMadvPopulateWrite:
    case kMadvDontneedLocked:
    case kMadvHwpoison:
    case kMadvSoftOffline:
      return true;
    default:
      return attribute_row(advice) != nullptr;
  }
}

}  // namespace

i64 AddressSpace::madvise(u64 address, u64 size_bytes, int advice) {
  const u64 bytes = page_ceil(size_bytes);
  if (!is_known(advice) || address % kPageBytes != 0) return -EINVAL;
  if ((size_bytes != 0 && bytes == 0) || address + bytes < address) return -EINVAL;
  if (bytes == 0) return 0;
  if (advice == kMadvHwpoison || advice == kMadvSoftOffline) return -EPERM;  // CAP_SYS_ADMIN
  const Span whole{address, address + bytes};
  if (advice == kMadvPopulateRead || advice == kMadvPopulateWrite)
    return populate(whole, advice == kMadvPopulateWrite ? PROT_WRITE : PROT_READ);

  i64 result = 0;
  u64 reached = whole.start;
  while (reached < whole.end) {
    const Region* const found = find_at_or_above(reached);
    if (found == nullptr) return -ENOMEM;
    if (found->start > reached) {
      result = -ENOMEM;  // a hole: the rest is still advised
      reached = found->start;
      if (reached >= whole.end) break;
    }
    const Region region = *found;
    const Span span{reached, std::min(region.end, whole.end)};
    if (const i64 error = advise(region, span, advice); error != 0) return error;
    reached = span.end;
  }
  return result;
}

i64 AddressSpace::advise(const Region& region, Span span, int advice) {
  const bool discards = advice == MADV_DONTNEED || advice == kMadvFree || advice == kMadvDontneedLocked;
  // kernel: can_modify_vma_madv(): sealed memory that cannot be written cannot be emptied either.
  if (region.has(kSealed) &&
      (discards || advice == MADV_REMOVE || advice == MADV_WIPEONFORK || advice == MADV_DONTFORK) &&
      region.private_anonymous() && !region.writable())
    return -EPERM;
  if (discards) {
    if (region.has(kLocked) && advice != kMadvDontneedLocked) return -EINVAL;
    if (advice == kMadvFree && !region.private_anonymous()) return -EINVAL;
    return region.on_paper ? 0 : discard(span);
  }
  if (advice == MADV_REMOVE) return punch_hole(region, span);
  if (advice == kMadvCold || advice == kMadvPageout) return region.has(kLocked) ? -EINVAL : 0;
  if (advice == MADV_WIPEONFORK && !region.private_anonymous()) return -EINVAL;
  if (const AttributeRow* const row = attribute_row(advice))
    return change_attributes(span, row->set, row->cleared);
  return 0;
}

i64 AddressSpace::discard(Span span) {
  prepare_write(span.start, span.size_bytes());
  return backend_.discard(span.start, span.size_bytes());
}

/// MADV_REMOVE makes the bytes of a shared object zero. They are written as zeros, so that the effect
/// is memory's alone and the same on replay; pages beyond the end of the file stay away.
i64 AddressSpace::punch_hole(const Region& region, Span span) {
  if (region.has(kLocked) || region.private_anonymous()) return -EINVAL;
  if (!region.shared() || (region.protection_most & PROT_WRITE) == 0) return -EACCES;
  static constexpr u8 kZeros[kPageBytes] = {};
  prepare_write(span.start, span.size_bytes());
  if (!region.writable()) {
    unwatch_views(region, span);
    const i64 error = backend_.protect(span.start, span.size_bytes(), PROT_READ | PROT_WRITE);
    if (error != 0) return error;
  }
  for (u64 page = span.start; page < span.end; page += kPageBytes)
    if (guarded_copy(reinterpret_cast<void*>(page), kZeros, kPageBytes) != kPageBytes) break;
  if (region.writable()) return 0;
  return backend_.protect(span.start, span.size_bytes(), host_protection(region.protection, false));
}

/// Brings pages in, as mlock and MAP_POPULATE do; `wanted`: one of these permissions is needed. Anonymous
/// pages show no difference. A page of a file shows whether it exists, and one that is private and
/// writable is copied now, so that it does not show what is written to the file later.
i64 AddressSpace::populate(Span span, int wanted) {
  u64 reached = span.start;
  while (reached < span.end) {
    const Region* const found = find(reached);
    if (found == nullptr) return -ENOMEM;
    const Region region = *found;
    if ((region.protection & wanted) == 0) return -EINVAL;
    const u64 end = std::min(region.end, span.end);
    const bool copies = !region.shared() && region.writable();
    for (; reached < end && !region.private_anonymous(); reached += kPageBytes) {
      u8 byte = 0;
      if (guarded_copy(&byte, reinterpret_cast<const void*>(reached), 1) != 1) return -EFAULT;
      if (copies && !write(reached, {&byte, 1})) return -EFAULT;
    }
    reached = end;
  }
  return 0;
}

}  // namespace orrery::memory
