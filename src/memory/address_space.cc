// The map itself: how regions are found, split, merged, counted and forgotten. The system calls are
// built from these few operations, in the files named after them.
//
// The map is a second kernel's view of the same pages: for every region that is not on paper there is
// a host mapping at the same place, made by us. The host may keep more or other VMAs than we keep
// regions (write-protected code pages split them, and it refuses to merge regions whose pages were
// touched separately), so nothing here depends on how the host divides them.
//
// Invariants, after every public call:
//  * regions are page aligned, disjoint and sorted; neighbours that are continuations are merged;
//  * usage_ and objects_ are sums over regions_ (account() is called on every change of one);
//  * a page in watched_pages_ or mapping_watched_pages_ lies in a region with `watched` set.
#include "memory/address_space.h"

#include "base/hash.h"

namespace orrery::memory {

namespace {

bool counts_as_data(const Region& region) {
  // kernel: is_data_mapping()
  return region.writable() && !region.shared() && (region.flags & MAP_GROWSDOWN) == 0;
}

/// The kernel's default of /proc/sys/vm/max_map_count.
constexpr u64 kRegionsMost = 65530;

u64 identity_of(const MappedFile& file) {
  const u64 numbers[] = {file.device_major, file.device_minor, file.inode};
  const u64 seed = xxh64({reinterpret_cast<const u8*>(numbers), sizeof numbers});
  return xxh64({reinterpret_cast<const u8*>(file.path.data()), file.path.size()}, seed);
}

bool same_file(const MappedFile& one, const MappedFile& other) {
  return one.inode == other.inode && one.device_major == other.device_major &&
         one.device_minor == other.device_minor && one.path == other.path;
}

}  // namespace

int AddressSpace::host_protection(int guest_protection, bool write_watched) {
  int host = guest_protection & (PROT_READ | PROT_WRITE);
  if ((guest_protection & PROT_EXEC) != 0) host |= PROT_READ;
  if (write_watched && (host & PROT_WRITE) != 0) host = PROT_READ;
  return host;
}

u32 AddressSpace::add_file(MappedFile file) {
  for (u64 key = identity_of(file);; ++key) {
    if (key == HashMap<u32>::kNoKey) continue;
    u32& number = files_by_identity_[key];
    if (number == 0) {
      files_.push_back(std::move(file));
      number = static_cast<u32>(files_.size());
      return number;
    }
    if (same_file(files_[number - 1], file)) return number;
  }
}

void AddressSpace::clear() {
  while (!regions_.empty()) {
    const Region& first = *regions_.begin();
    const Span span{first.start, first.end};
    if (!first.on_paper) (void)backend_.unmap(span.start, span.size_bytes());
    forget(span);
  }
  watched_pages_.clear();
  mapping_watched_pages_.clear();
  objects_.clear();
  attributes_later_ = 0;
  usage_.peak_mapped_bytes = 0;
  refusal_.reset();
  brk_start_ = brk_end_ = 0;
}

const Region* AddressSpace::find(u64 address) const {
  if (last_found_ != nullptr && last_found_->contains(address)) return last_found_;
  const Region* const found = regions_.find(address);
  if (found != nullptr) last_found_ = found;
  return found;
}

const Region* AddressSpace::find_at_or_above(u64 address) const {
  const Position at = regions_.first_ending_above(address);
  return regions_.is_end(at) ? nullptr : &regions_.at(at);
}

void AddressSpace::account(const Region& region, bool added) {
  ++changes_;
  const u64 sign = added ? 1 : ~u64{0};
  const u64 bytes = sign * region.size_bytes();
  usage_.mapped_bytes += bytes;
  usage_.peak_mapped_bytes = std::max(usage_.peak_mapped_bytes, usage_.mapped_bytes);
  if (counts_as_data(region)) usage_.data_bytes += bytes;
  if (region.has(kLocked)) usage_.locked_bytes += bytes;
  if (region.object == 0) return;
  if (region.watched && region.shared() && region.file != 0 && region.executable())
    shared_code_regions_ += static_cast<u32>(sign);
  const bool writes_shared = region.shared() && region.writable();
  if (!writes_shared && !region.watched) return;
  ObjectUse& use = objects_[region.object];
  use.writable_regions += static_cast<u32>(sign * (writes_shared ? 1 : 0));
  use.watched_regions += static_cast<u32>(sign * (region.watched ? 1 : 0));
  if (use.writable_regions == 0 && use.watched_regions == 0) objects_.erase(region.object);
}

void AddressSpace::insert(const Region& region) {
  last_found_ = nullptr;
  account(region, true);
  regions_.insert(region);
}

AddressSpace::Position AddressSpace::erase(Position at) {
  last_found_ = nullptr;
  account(regions_.at(at), false);
  return regions_.erase(at);
}

void AddressSpace::resize(Position at, u64 start, u64 end) {
  last_found_ = nullptr;
  Region& region = regions_.at(at);
  account(region, false);
  regions_.resize(at, start, end);
  account(region, true);
}

AddressSpace::Position AddressSpace::split(u64 address) {
  const Position at = regions_.first_ending_above(address);
  if (regions_.is_end(at) || regions_.at(at).start >= address) return at;
  Region upper = regions_.at(at);
  upper.offset = upper.private_anonymous() ? 0 : upper.offset_of(address);
  upper.start = address;
  resize(at, regions_.at(at).start, address);
  insert(upper);
  return regions_.first_ending_above(address);
}

/// Merges across every boundary in [from, to].
void AddressSpace::merge(u64 from, u64 to) {
  Position at = regions_.first_ending_above(from == 0 ? 0 : from - 1);
  while (!regions_.is_end(at) && regions_.at(at).end <= to) {
    const Position after = regions_.next(at);
    if (regions_.is_end(after)) return;
    const Region upper = regions_.at(after);
    if (!regions_.at(at).continues_in(upper)) {
      at = after;
      continue;
    }
    const u64 start = regions_.at(at).start;
    erase(after);
    at = regions_.first_ending_above(start);
    resize(at, start, upper.end);
    if (upper.watched) set_watched(start, true);
  }
}

/// Whether the boundaries of `span` may become new regions within the kernel's limit.
bool AddressSpace::can_split(Span span) const {
  u64 splits = 0;
  for (const u64 address : {span.start, span.end}) {
    const Region* const region = find(address);
    splits += region != nullptr && region->start < address;
  }
  return regions_.size() + splits <= kRegionsMost;
}

/// The pages of `span` are gone or replaced: no region and no watch is left there.
void AddressSpace::forget(Span span) {
  drop_watch(span);
  split(span.start);
  split(span.end);
  Position at = regions_.first_ending_above(span.start);
  while (!regions_.is_end(at) && regions_.at(at).start < span.end) at = erase(at);
}

bool AddressSpace::any_sealed(Span span) const {
  for (Position at = regions_.first_ending_above(span.start);
       !regions_.is_end(at) && regions_.at(at).start < span.end; at = regions_.next(at))
    if (regions_.at(at).has(kSealed)) return true;
  return false;
}

/// kernel: may_expand_vm().
bool AddressSpace::may_expand(u64 bytes, bool is_data) const {
  if (bytes > limits_.address_space_bytes || usage_.mapped_bytes > limits_.address_space_bytes - bytes)
    return false;
  if (!is_data) return true;
  return bytes <= limits_.data_bytes && usage_.data_bytes <= limits_.data_bytes - bytes;
}

u64 AddressSpace::accessible_bytes(u64 address, u64 size_bytes, Access access) const {
  // Without protection keys a page that may be written or executed may also be read.
  const int wanted = access == Access::read ? kAccessBits : access == Access::write ? PROT_WRITE : PROT_EXEC;
  if (size_bytes > ~u64{0} - address) size_bytes = ~u64{0} - address;
  const u64 end = address + size_bytes;
  u64 reached = address;
  while (reached < end) {
    const Region* const region = find(reached);
    if (region == nullptr || (region->protection & wanted) == 0) break;
    reached = region->end < end ? region->end : end;
  }
  return reached - address;
}

u64 AddressSpace::accessible_bytes(u64 address, u64 size_bytes, Access access) {
  for (;;) {
    const u64 bytes = std::as_const(*this).accessible_bytes(address, size_bytes, access);
    if (bytes == size_bytes) return bytes;
    const u64 missing = address + bytes;
    if (find(missing) != nullptr || !handle_stack_growth(missing, limits_.stack_bytes)) return bytes;
  }
}

}  // namespace orrery::memory
