// Watching code. The translator tells which pages it has translated from; memory tells it when what such
// a page says may have changed. What can change a page, and how it is noticed:
//
//  * the guest stores into it: the host page is write-protected, the fault comes to handle_write_fault();
//  * the host kernel stores into it for the guest (read(2)): prepare_write() is called first, because the
//    kernel would get EFAULT from a protected page;
//  * the guest stores through another mapping of the same bytes (a JIT's second view of one memfd): all
//    writable shared mappings of a watched object are protected as well, now and when they are made;
//  * a system call writes to the file behind a shared mapping: the kernel calls file_written() afterwards;
//  * it is unmapped, mapped over, moved, discarded: announced then;
//  * its execute permission is taken away: announced then, because while it is not executable it may be
//    writable and its writes are nobody's business; when it is executable again it is looked at anew.
//
// Of a page whose code checks itself (watch_code_mapping) only the last two are of interest.
//
// A page leaves the set with the announcement, and enters it again when code is translated from it: one
// fault for each change, not for each store. mprotect to writable alone announces nothing: the page stays
// protected on the host until somebody does write.
#include "memory/address_space.h"
#include "memory/reserved.h"

namespace orrery::memory {

void AddressSpace::set_watched(u64 start, bool watched) {
  Region& region = regions_.at(regions_.first_ending_above(start));
  if (region.watched == watched) return;
  account(region, false);
  region.watched = watched;
  account(region, true);
}

/// Visits the parts of other regions that show the same bytes of the same object as `span` of `region`.
template <class Visit>
void AddressSpace::visit_aliases(const Region& region, Span span, Visit visit) {
  const u64 from = region.offset_of(span.start);
  const u64 to = from + span.size_bytes();
  for (const Region& other : regions_) {
    if (other.object != region.object || other.start == region.start) continue;
    const u64 other_from = std::max(from, other.offset);
    const u64 other_to = std::min(to, other.offset + other.size_bytes());
    if (other_from >= other_to) continue;
    visit(Region(other),
          Span{other.start + (other_from - other.offset), other.start + (other_to - other.offset)});
  }
}

/// Makes the host catch stores into `span`. Where it cannot split its VMAs any further (max_map_count), all
/// of the region is watched: a store into any page of it is then caught.
void AddressSpace::protect_watched(const Region& region, Span span) {
  const int host = host_protection(region.protection, true);
  if (backend_.protect(span.start, span.size_bytes(), host) == 0) return;
  for (u64 page = region.start; page < region.end; page += kPageBytes) watched_pages_.insert(page);
  (void)backend_.protect(region.start, region.size_bytes(), host);
}

/// The pages become writable on the host as far as the guest may write them, and are announced; all of the
/// region's, where the host cannot tell them apart any more.
void AddressSpace::release_watched(const Region& region, PageSet::Run pages, CodeChange::Cause cause) {
  watched_pages_.erase(pages);
  const int host = host_protection(region.protection, false);
  if (region.writable() && backend_.protect(pages.start, pages.end - pages.start, host) != 0) {
    pages = {region.start, region.end};
    watched_pages_.erase(pages);
    (void)backend_.protect(region.start, region.size_bytes(), host);
  }
  if (region.executable()) code_.announce(pages.start, pages.end, cause);
}

void AddressSpace::watch_code_mapping(u64 page) {
  page = page_floor(page);
  const Region* const region = find(page);
  if (region == nullptr || region->on_paper || watched_pages_.contains(page)) return;
  mapping_watched_pages_.insert(page);
  set_watched(region->start, true);
}

void AddressSpace::watch_code(u64 page) {
  page = page_floor(page);
  if (watched_pages_.contains(page)) return;
  const Region* const found = find(page);
  if (found == nullptr || found->on_paper) return;
  const Region region = *found;
  watched_pages_.insert(page);
  set_watched(region.start, true);
  if (region.writable()) protect_watched(region, {page, page + kPageBytes});

  if (region.object == 0) return;
  const ObjectUse* const use = objects_.find(region.object);
  if (use == nullptr || use->writable_regions == 0) return;
  visit_aliases(region, {page, page + kPageBytes}, [&](const Region& other, Span span) {
    if (!other.shared() || !other.writable() || watched_pages_.contains(span.start)) return;
    watched_pages_.insert(span.start);
    set_watched(other.start, true);
    protect_watched(other, {span.start, span.start + kPageBytes});
  });
}

/// A new shared writable view of watched bytes is protected from the start.
void AddressSpace::protect_aliases(Span span) {
  for (u64 reached = span.start; reached < span.end;) {
    const Region* const found = find_at_or_above(reached);
    if (found == nullptr || found->start >= span.end) return;
    const Region region = *found;
    reached = region.end;
    if (region.object == 0 || !region.shared() || !region.writable()) continue;
    const ObjectUse* const use = objects_.find(region.object);
    if (use == nullptr || use->watched_regions == 0) continue;
    visit_aliases(region, {region.start, region.end}, [&](const Region& other, Span seen) {
      if (!other.watched || !other.executable()) return;
      for (auto run = watched_pages_.next_run(seen.start, seen.end); !run.empty();
           run = watched_pages_.next_run(run.end, seen.end)) {
        const u64 to = region.start + (other.offset_of(run.start) - region.offset);
        for (u64 page = 0; page < run.end - run.start; page += kPageBytes) watched_pages_.insert(to + page);
        set_watched(region.start, true);
        protect_watched(region, {to, to + (run.end - run.start)});
      }
    });
  }
}

/// Ends the watch on the pages of `span` in `region`, and on every other view of their bytes.
void AddressSpace::unwatch(const Region& region, Span span, CodeChange::Cause cause) {
  if (!region.watched) return;
  for (auto run = watched_pages_.next_run(span.start, span.end); !run.empty();
       run = watched_pages_.next_run(run.end, span.end)) {
    release_watched(region, run, cause);
    if (region.object == 0 || objects_.find(region.object) == nullptr) continue;
    if (objects_.find(region.object)->writable_regions == 0) continue;
    visit_aliases(region, {run.start, run.end}, [&](const Region& other, Span seen) {
      if (!other.watched) return;
      for (auto alias = watched_pages_.next_run(seen.start, seen.end); !alias.empty();
           alias = watched_pages_.next_run(alias.end, seen.end))
        release_watched(other, alias, cause);
    });
  }
  if (span.start <= region.start && span.end >= region.end &&
      mapping_watched_pages_.next_run(region.start, region.end).empty())
    set_watched(region.start, false);
}

/// What was translated from `span` of `region` may not run any more, whatever its bytes are.
void AddressSpace::end_code(const Region& region, Span span) {
  if (!region.watched) return;
  drop_mapping_watch(span);
  unwatch(region, span, CodeChange::Cause::mapping);
}

void AddressSpace::drop_mapping_watch(Span span) {
  for (auto run = mapping_watched_pages_.next_run(span.start, span.end); !run.empty();
       run = mapping_watched_pages_.next_run(run.end, span.end)) {
    mapping_watched_pages_.erase(run);
    code_.announce(run.start, run.end, CodeChange::Cause::mapping);
  }
}

/// The same for a change that does not come through `region` as a store would: of a view that the guest
/// may not write now, and whose writes therefore nobody watched.
void AddressSpace::unwatch_views(const Region& region, Span span) {
  unwatch(region, span);
  if (region.object != 0 && objects_.find(region.object) != nullptr)
    visit_aliases(region, span, [&](const Region& other, Span seen) { unwatch(other, seen); });
}

/// The pages of `span` are gone from the host: nothing to unprotect, only to announce.
void AddressSpace::drop_watch(Span span) {
  if (watched_pages_.empty() && mapping_watched_pages_.empty()) return;
  for (Position at = regions_.first_ending_above(span.start);
       !regions_.is_end(at) && regions_.at(at).start < span.end; at = regions_.next(at)) {
    const Region& region = regions_.at(at);
    if (!region.watched) continue;
    const u64 end = std::min(region.end, span.end);
    for (auto run = watched_pages_.next_run(std::max(region.start, span.start), end); !run.empty();
         run = watched_pages_.next_run(run.end, end)) {
      watched_pages_.erase(run);
      if (region.executable()) code_.announce(run.start, run.end, CodeChange::Cause::mapping);
    }
    drop_mapping_watch({std::max(region.start, span.start), end});
  }
}

/// `object` 0: of every file.
void AddressSpace::unwatch_shared_code(u64 object) {
  for (const Region* found = find_at_or_above(0); found != nullptr;) {
    const Region region = *found;
    if (region.watched && region.shared() && region.file != 0 && (object == 0 || region.object == object))
      unwatch(region, {region.start, region.end});
    found = find_at_or_above(region.end);
  }
}

void AddressSpace::file_written(u32 device_major, u32 device_minor, u64 inode) {
  unwatch_shared_code(
      file_object({.path = {}, .device_major = device_major, .device_minor = device_minor, .inode = inode}));
}

void AddressSpace::any_file_written() { unwatch_shared_code(0); }

void AddressSpace::prepare_write(u64 address, u64 size_bytes) {
  if (watched_pages_.empty() || size_bytes == 0) return;
  const Region* region = find(address);
  if (region != nullptr && !region->watched && address + size_bytes <= region->end) return;
  const Span span{page_floor(address), page_ceil(address + size_bytes)};
  for (u64 reached = span.start; reached < span.end;) {
    region = find_at_or_above(reached);
    if (region == nullptr || region->start >= span.end) return;
    const Region copy = *region;
    unwatch(copy, {std::max(copy.start, span.start), std::min(copy.end, span.end)});
    reached = copy.end;
  }
}

bool AddressSpace::handle_write_fault(u64 address) {
  const u64 page = page_floor(address);
  if (!watched_pages_.contains(page)) return false;
  const Region* const found = find(page);
  if (found == nullptr || !found->writable()) return false;
  const Region region = *found;
  unwatch(region, {page, page + kPageBytes});
  return true;
}

/// mm/mmap.c: expand_downwards().
bool AddressSpace::handle_stack_growth(u64 address, u64 stack_limit_bytes) {
  const u64 page = page_floor(address);
  const Position at = regions_.first_ending_above(address);
  if (regions_.is_end(at)) return false;
  const Region region = regions_.at(at);
  if (region.start <= address || (region.flags & MAP_GROWSDOWN) == 0 || region.on_paper) return false;
  if (page < layout::kLowWindow.start || region.end - page > stack_limit_bytes) return false;
  if (!regions_.is_first(at)) {
    const Region& below = regions_.at(regions_.previous(at));
    const bool keeps_off = (below.flags & MAP_GROWSDOWN) == 0 && (below.protection & kAccessBits) != 0;
    if (keeps_off && page - below.end < kStackGuardBytes) return false;
  }
  Region grown = region;
  grown.start = page;
  grown.end = region.start;
  if (overlaps_reserved(grown.start, grown.end) || !may_expand(grown.size_bytes(), false)) return false;
  if (region.has(kLocked) && usage_.locked_bytes + grown.size_bytes() > limits_.locked_bytes) return false;
  if (map_host(grown, -1) != 0) return false;
  resize(at, page, region.end);
  return true;
}

}  // namespace orrery::memory
