// mmap, munmap and brk. The order of checks is the kernel's (mm/mmap.c: do_mmap, __get_unmapped_area,
// mmap_region), so that a call with several faults fails with the same one.
//
// A range of the engine's can be had by the guest only on paper: a PROT_NONE reservation across it
// succeeds and is shown, but nothing is mapped there, and giving it access later fails with ENOMEM. The one
// exception is a sanitizer's shadow: what lies at the engine's places is the shadow of addresses that its
// program is never given.
#include <cerrno>

#include "memory/address_space.h"
#include "memory/linux_memory.h"
#include "memory/reserved.h"

namespace orrery::memory {

namespace {

constexpr int kFlagsKept = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NORESERVE;

bool is_anonymous(const AddressSpace::MmapArguments& arguments) {
  return (arguments.flags & MAP_ANONYMOUS) != 0;
}
bool is_fixed(const AddressSpace::MmapArguments& arguments) {
  return (arguments.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
}
bool is_shared_type(int flags) { return (flags & kMapTypeMask) != MAP_PRIVATE; }

}  // namespace

i64 AddressSpace::refuse(Span span, int protection) {
  refusal_ = Refusal{span.start, span.end, protection};
  return -ENOMEM;
}

/// do_mmap(), the cases of a file mapping's MAP_TYPE.
i64 AddressSpace::check_file_rules(const MmapArguments& arguments) {
  const int type = arguments.flags & kMapTypeMask;
  if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE && type != MAP_PRIVATE) return -EINVAL;
  if (type == MAP_SHARED_VALIDATE && (arguments.flags & ~(kMapFlagsKnown | MAP_SHARED_VALIDATE)) != 0)
    return -EOPNOTSUPP;
  if (is_shared_type(arguments.flags)) {
    if ((arguments.protection & PROT_WRITE) != 0 && !arguments.file_writable) return -EACCES;
    if (arguments.file_append_only && arguments.file_writable) return -EACCES;
  }
  if (!arguments.file_readable) return -EACCES;
  if (!arguments.file_executable && (arguments.protection & PROT_EXEC) != 0) return -EPERM;
  if ((arguments.flags & MAP_GROWSDOWN) != 0) return -EINVAL;
  return 0;
}

i64 AddressSpace::check_anonymous_rules(const MmapArguments& arguments) {
  const int type = arguments.flags & kMapTypeMask;
  if (type == MAP_PRIVATE) return 0;
  return type == MAP_SHARED && (arguments.flags & MAP_GROWSDOWN) == 0 ? 0 : -EINVAL;
}

/// Everything that can be refused without touching the map, and the place.
i64 AddressSpace::check_mmap(const MmapArguments& arguments, Span& span) {
  if ((arguments.flags & MAP_HUGETLB) != 0) {
    // No huge pages are set aside (nr_hugepages is 0), and only hugetlbfs files may ask for them. What is
    // anonymous is a file of hugetlbfs to the rest of the kernel.
    constexpr u64 kMask = 2 * layout::kMiB - 1;
    const int type = arguments.flags & kMapTypeMask;
    const bool known_type = type == MAP_SHARED || type == MAP_PRIVATE || type == MAP_SHARED_VALIDATE;
    const bool unaligned = is_fixed(arguments) && (arguments.address & kMask) != 0;
    const bool is_empty = ((arguments.size_bytes + kMask) & ~kMask) == 0;
    const bool refused = !is_anonymous(arguments) || is_empty || unaligned || !known_type;
    return refused || (arguments.flags & MAP_GROWSDOWN) != 0 ? -EINVAL : -ENOMEM;
  }
  if (arguments.size_bytes == 0) return -EINVAL;
  const u64 bytes = page_ceil(arguments.size_bytes);
  if (bytes == 0 || regions_.size() > 65530 || bytes > kTaskSize) return -ENOMEM;
  u64 start = arguments.address;
  if (is_fixed(arguments)) {
    if (start > kTaskSize - bytes) return -ENOMEM;
    if (start % kPageBytes != 0) return -EINVAL;
    if (start < kLowestAddress) return -EPERM;
  } else {
    const auto place = this->place(arguments, bytes);
    if (!place) return -ENOMEM;
    start = *place;
  }
  span = {start, start + bytes};
  const bool wants_access = (arguments.protection & kAccessBits) != 0;
  const bool reserved =
      is_fixed(arguments) && visit_pieces(span.start, span.end, [&](u64 from, u64 to, bool is_reserved) {
                               return i64{is_reserved && !is_lent(from, to, wants_access)};
                             }) != 0;
  if ((arguments.flags & MAP_FIXED_NOREPLACE) != 0) {
    const Region* const next = find_at_or_above(span.start);
    if ((next != nullptr && next->start < span.end) || (reserved && wants_access)) return -EEXIST;
  }
  if ((arguments.flags & MAP_LOCKED) != 0 || (attributes_later_ & kLocked) != 0) {
    if (limits_.locked_bytes == 0) return (arguments.flags & MAP_LOCKED) != 0 ? -EPERM : -EAGAIN;
    if (usage_.locked_bytes + bytes > limits_.locked_bytes) return -EAGAIN;
  }
  const i64 error = is_anonymous(arguments) ? check_anonymous_rules(arguments) : check_file_rules(arguments);
  if (error != 0) return error;
  if (reserved && wants_access && !may_be_shadow(arguments, span)) return refuse(span, arguments.protection);
  return 0;
}

bool AddressSpace::may_be_shadow(const MmapArguments& arguments, Span span) const {
  constexpr u64 kShadowBytesLeast = 1024 * layout::kGiB;
  return places_ == &layout::kLowPlaces && is_anonymous(arguments) &&
         (arguments.flags & MAP_NORESERVE) != 0 && span.size_bytes() >= kShadowBytesLeast;
}

Region AddressSpace::region_for(const MmapArguments& arguments, Span span) {
  Region region{.start = span.start, .end = span.end, .protection = arguments.protection & kAccessBits};
  region.flags = (arguments.flags & kFlagsKept & ~kMapTypeMask) |
                 (is_shared_type(arguments.flags) ? MAP_SHARED : MAP_PRIVATE);
  region.kind = is_anonymous(arguments) ? arguments.kind : RegionKind::file;
  region.attributes = attributes_later_;
  if ((arguments.flags & MAP_LOCKED) != 0) region.attributes |= kLocked;
  if (is_anonymous(arguments)) {
    region.file = arguments.file;
    if (region.shared()) region.object = arguments.object != 0 ? arguments.object : new_object();
    if (region.shared() && !arguments.file_writable) region.protection_most &= static_cast<u8>(~PROT_WRITE);
    return region;
  }
  region.file = arguments.file;
  region.offset = arguments.offset;
  if (arguments.file != 0) region.object = file_object(files_[arguments.file - 1]);
  if (region.shared() && !arguments.file_writable) region.protection_most &= static_cast<u8>(~PROT_WRITE);
  if (!arguments.file_executable) region.protection_most &= static_cast<u8>(~PROT_EXEC);
  return region;
}

i64 AddressSpace::map_host(const Region& region, int fd) {
  return backend_.map({.address = region.start,
                       .size_bytes = region.size_bytes(),
                       .protection = host_protection(region.protection, false),
                       .flags = region.flags,
                       .fd = fd,
                       .offset = region.private_anonymous() ? 0 : region.offset});
}

/// A second view of shared memory (mremap of 0 bytes).
i64 AddressSpace::show_host(const Region& region, u64 from) {
  if (const i64 error = backend_.move(from, 0, region.start, region.size_bytes()); error != 0) return error;
  return backend_.protect(region.start, region.size_bytes(), host_protection(region.protection, false));
}

u64 AddressSpace::new_object() { return kAnonymousObject | ++anonymous_objects_; }

i64 AddressSpace::mmap(const MmapArguments& arguments) {
  Span span{};
  if (const i64 error = check_mmap(arguments, span); error != 0) return error;
  const Region whole = region_for(arguments, span);
  u64 replaced_bytes = 0;
  for (Position at = regions_.first_ending_above(span.start);
       !regions_.is_end(at) && regions_.at(at).start < span.end; at = regions_.next(at)) {
    const Region& old = regions_.at(at);
    if (old.has(kSealed)) return -EPERM;
    replaced_bytes += std::min(old.end, span.end) - std::max(old.start, span.start);
  }
  if (!can_split(span)) return -ENOMEM;
  if (!may_expand(span.size_bytes() - replaced_bytes, whole.writable() && !whole.shared())) return -ENOMEM;

  const int fd = is_anonymous(arguments) ? -1 : arguments.fd;
  const i64 error = visit_pieces(span.start, span.end, [&](u64 from, u64 to, bool is_reserved) -> i64 {
    if (is_lent(from, to, whole.protection != 0)) {
      is_reserved = false;
      table_is_lent_ = true;
    }
    Region piece = whole;
    piece.start = from;
    piece.end = to;
    piece.on_paper = is_reserved;
    if (!piece.private_anonymous()) piece.offset = whole.offset_of(from);
    if (!is_reserved) {
      const u64 shown = arguments.shown_from == 0 ? 0 : arguments.shown_from + (from - span.start);
      const i64 host_error = shown != 0 ? show_host(piece, shown) : map_host(piece, fd);
      if (host_error != 0) return host_error;
    }
    forget({from, to});
    insert(piece);
    return 0;
  });
  merge(span.start, span.end);
  if (error != 0) return error;
  protect_aliases(span);
  const bool brings_in = (arguments.flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
  if (brings_in || whole.has(kLocked)) (void)populate(span, kAccessBits);
  return static_cast<i64>(span.start);
}

/// Unmaps what is mapped for regions in `span`; the holes may be anybody's and are left alone.
i64 AddressSpace::unmap_host(Span span) {
  Position at = regions_.first_ending_above(span.start);
  while (!regions_.is_end(at) && regions_.at(at).start < span.end) {
    if (regions_.at(at).on_paper) {
      at = regions_.next(at);
      continue;
    }
    const u64 from = std::max(regions_.at(at).start, span.start);
    u64 to = from;
    for (; !regions_.is_end(at) && !regions_.at(at).on_paper; at = regions_.next(at)) {
      const Region& region = regions_.at(at);
      if (region.start > std::max(to, span.start) || region.start >= span.end) break;
      to = std::min(region.end, span.end);
    }
    if (const i64 error = backend_.unmap(from, to - from); error != 0) return error;
  }
  return 0;
}

i64 AddressSpace::unmap_span(Span span) {
  const Region* const first = find_at_or_above(span.start);
  if (first == nullptr || first->start >= span.end) return 0;
  if (any_sealed(span)) return -EPERM;
  if (first->start < span.start && first->end > span.end && !can_split(span)) return -ENOMEM;
  if (const i64 error = unmap_host(span); error != 0) return error;
  forget(span);
  return 0;
}

i64 AddressSpace::munmap(u64 address, u64 size_bytes) {
  if (address % kPageBytes != 0 || address > kTaskSize || size_bytes > kTaskSize - address) return -EINVAL;
  const u64 bytes = page_ceil(size_bytes);
  if (bytes == 0) return -EINVAL;
  return unmap_span({address, address + bytes});
}

void AddressSpace::set_brk(u64 start) { brk_start_ = brk_end_ = start; }

/// mm/mmap.c: brk(). A request that cannot be met returns the break as it is.
i64 AddressSpace::brk(u64 wanted) {
  const i64 unchanged = static_cast<i64>(brk_end_);
  if (wanted < brk_start_ || wanted - brk_start_ > limits_.data_bytes) return unchanged;
  const u64 old_end = page_ceil(brk_end_);
  const u64 new_end = page_ceil(wanted);
  if (wanted > kTaskSize || (places_->brk.contains(brk_start_) && wanted > places_->brk.end))
    return unchanged;
  if (new_end < old_end) {
    if (unmap_span({new_end, old_end}) != 0) return unchanged;
  } else if (new_end > old_end) {
    const Span span{old_end, new_end};
    const Region* const next = find_at_or_above(old_end);
    if (next != nullptr && new_end + kPageBytes > next->lower_edge()) return unchanged;
    if (overlaps_reserved(span.start, span.end) || !may_expand(span.size_bytes(), true)) return unchanged;
    if ((attributes_later_ & kLocked) != 0 && usage_.locked_bytes + span.size_bytes() > limits_.locked_bytes)
      return unchanged;
    const Region heap{.start = span.start,
                      .end = span.end,
                      .protection = PROT_READ | PROT_WRITE,
                      .flags = MAP_PRIVATE | MAP_ANONYMOUS,
                      .kind = RegionKind::heap,
                      .attributes = attributes_later_};
    if (map_host(heap, -1) != 0) return unchanged;
    insert(heap);
    merge(span.start, span.end);
  }
  brk_end_ = wanted;
  return static_cast<i64>(wanted);
}

}  // namespace orrery::memory
