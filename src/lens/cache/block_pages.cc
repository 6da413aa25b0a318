#include "lens/cache/block_pages.h"

#include <algorithm>

namespace orrery::lens::cache {

const BlockPages::Page* BlockPages::look_up(u64 page) const {
  const u32* const number = numbers_.find(page);
  Recent& recent = recent_[page % kRecent];
  recent = {page, number == nullptr ? nullptr : pages_[*number].get()};
  return recent.known;
}

BlockPages::Page& BlockPages::page_for(u64 page) {
  if (const u32* const number = numbers_.find(page)) return *pages_[*number];
  numbers_[page] = static_cast<u32>(pages_.size());
  recent_[page % kRecent] = {};
  return *pages_.emplace_back(std::make_unique<Page>());
}

void BlockPages::set_part(Page& page, u64 from, u64 to, u32 block) {
  constexpr u64 kGranules = kPageBytes / kGranuleBytes;
  const u64 first = from / kGranuleBytes, past = (to + kGranuleBytes - 1) / kGranuleBytes;
  if (page.granules == nullptr) {
    if (page.whole == block) return;
    page.granules = std::make_unique<u32[]>(kGranules);
    std::fill_n(page.granules.get(), kGranules, page.whole);
  }
  std::fill(page.granules.get() + first, page.granules.get() + past, block);
}

void BlockPages::set(u64 begin, u64 size_bytes, u32 block) {
  const u64 end = begin + size_bytes;
  for (u64 at = begin; at < end;) {
    const u64 page_begin = at & ~(kPageBytes - 1), next = std::min(end, page_begin + kPageBytes);
    const bool is_whole = next - at == kPageBytes;
    if (block != kNone || numbers_.find(at >> kPageShift) != nullptr) {
      Page& page = page_for(at >> kPageShift);
      if (is_whole)
        page.whole = block, page.granules.reset();
      else
        set_part(page, at - page_begin, next - page_begin, block);
    }
    at = next;
  }
}

}  // namespace orrery::lens::cache
