// Which block of the heap an address lies in: each page of the address space that has blocks is one block's
// as a whole, or a table of its granules. Looked up at every access, so that both are one step.
#pragma once

#include <memory>
#include <vector>

#include "base/hash_map.h"
#include "base/types.h"

namespace orrery::lens::cache {

class BlockPages {
 public:
  static constexpr u32 kNone = 0;

  /// Of the addresses from `begin` on: `block` from here on, kNone: none any more.
  void set(u64 begin, u64 size_bytes, u32 block);
  u32 find(u64 address) const {
    const u64 page = address >> kPageShift;
    const Recent& recent = recent_[page % kRecent];
    const Page* const known = recent.page == page ? recent.known : look_up(page);
    if (known == nullptr) return kNone;
    return known->granules == nullptr ? known->whole : known->granules[address % kPageBytes / kGranuleBytes];
  }

 private:
  /// The smallest blocks that allocators give out lie so far apart (jemalloc's are of 8 bytes).
  static constexpr u64 kGranuleBytes = 8;
  static constexpr unsigned kPageShift = 12;
  static constexpr u64 kRecent = 512;
  static_assert(u64{1} << kPageShift == kPageBytes);

  struct Page {
    u32 whole = kNone;
    std::unique_ptr<u32[]> granules{};  ///< kPageBytes / kGranuleBytes
  };
  struct Recent {
    u64 page = ~u64{0};
    const Page* known = nullptr;
  };

  const Page* look_up(u64 page) const;
  Page& page_for(u64 page);
  void set_part(Page& page, u64 from, u64 to, u32 block);

  HashMap<u32> numbers_;  ///< of pages_, by page
  std::vector<std::unique_ptr<Page>> pages_;
  mutable Recent recent_[kRecent];
};

}  // namespace orrery::lens::cache
