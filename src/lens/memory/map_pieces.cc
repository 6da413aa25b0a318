#include "lens/memory/map_pieces.h"

#include <sys/mman.h>

#include <algorithm>
#include <set>

namespace orrery::lens::memory {
namespace {

/// Looks regions up in ascending order of addresses.
class Finder {
 public:
  explicit Finder(const std::vector<elf::MappedRegion>& regions)
      : next_(regions.begin()), end_(regions.end()) {}

  Attributes at(u64 address) {
    while (next_ != end_ && next_->end <= address) ++next_;
    return next_ != end_ && next_->start <= address ? Attributes(*next_) : std::nullopt;
  }

 private:
  std::vector<elf::MappedRegion>::const_iterator next_, end_;
};

bool is_alike(const Attributes& left, const Attributes& right) {
  if (!left || !right) return left.has_value() == right.has_value();
  const bool same_bytes = left->path.empty() || left->path.starts_with("[") ||
                          left->offset - left->start == right->offset - right->start;
  return left->protection == right->protection && left->flags == right->flags && left->path == right->path &&
         same_bytes;
}

}  // namespace

std::vector<Difference> find_differences(const std::vector<elf::MappedRegion>& before,
                                         const std::vector<elf::MappedRegion>& after, u64 fresh_start,
                                         u64 fresh_end) {
  std::set<u64> bounds = {fresh_start, fresh_end};
  for (const auto* regions : {&before, &after})
    for (const elf::MappedRegion& region : *regions) bounds.insert({region.start, region.end});
  std::vector<Difference> found;
  Finder old(before), present(after);
  for (auto bound = bounds.begin(); std::next(bound) != bounds.end(); ++bound) {
    const u64 start = *bound, end = *std::next(bound);
    const Difference each{start, end, old.at(start), present.at(start)};
    const bool is_fresh = start >= fresh_start && start < fresh_end && each.after;
    if (is_alike(each.before, each.after) && !is_fresh) continue;
    const bool goes_on = !found.empty() && found.back().end == start &&
                         is_alike(found.back().before, each.before) &&
                         is_alike(found.back().after, each.after);
    if (goes_on)
      found.back().end = end;
    else
      found.push_back(each);
  }
  return found;
}

std::string permissions_of(const elf::MappedRegion& region) {
  return {(region.protection & PROT_READ) != 0 ? 'r' : '-', (region.protection & PROT_WRITE) != 0 ? 'w' : '-',
          (region.protection & PROT_EXEC) != 0 ? 'x' : '-', (region.flags & MAP_SHARED) != 0 ? 's' : 'p'};
}

}  // namespace orrery::lens::memory
