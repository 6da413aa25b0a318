// For each word of memory, the accesses that one to come may conflict with: as a rule the last write and the
// last read of each byte, of several readers that none orders the last read of each. And what was last
// accessed of it, so that most accesses need no more than a look at that.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "base/hash_map.h"
#include "base/types.h"

namespace orrery::lens::races {

inline constexpr u64 kWordBytes = 8;

/// An access of bytes of a word; segment 0: none.
struct Slot {
  static constexpr u8 kWrites = 1;
  static constexpr u8 kAtomic = 2;
  static constexpr u8 kModifies = 4;  ///< reads and writes in one instruction
  static constexpr u8 kFrees = 8;     ///< a release of the block around it
  static constexpr u8 kInside = 16;   ///< by the function, or system call, that the instruction calls

  u32 segment = 0;
  i32 ticks = 0;  ///< since the segment began; before it, if the call began before
  u64 bits = 0;

  static u64 bits_of(u64 pc, u8 bytes, u8 flags) { return pc << 16 | u64{flags} << 8 | bytes; }
  u64 pc() const { return bits >> 16; }
  u8 bytes() const { return bits & 0xff; }  ///< a bit for each
  u8 flags() const { return bits >> 8 & 0xff; }
  bool writes() const { return (flags() & kWrites) != 0; }
  bool is_atomic() const { return (flags() & kAtomic) != 0; }
};

/// What was accessed of a word in one segment of a task's run: to do so again there changes nothing.
struct WordSummary {
  u32 segment = 0;
  u8 seen = 0, written = 0;
  u8 atomics = 0;             ///< bytes that atomic instructions, or functions, access
  bool is_used : 1 = false;   ///< there may be slots
  bool has_more : 1 = false;  ///< than fit the word's own

  /// Whether an access of these bytes in that segment, which is the present one, is the first.
  bool is_new(u32 now, u8 bytes, bool writes) {
    if (segment == now) {
      if (((writes ? written : seen) & bytes) == bytes) [[likely]]
        return false;
    } else {
      segment = now;
      seen = written = 0;
    }
    is_used = true;
    seen |= bytes;
    if (writes) written |= bytes;
    return true;
  }
};

static_assert(sizeof(WordSummary) == 8);

struct ShadowPage {
  static constexpr u64 kBytes = 4096;
  static constexpr std::size_t kWords = kBytes / kWordBytes;
  static constexpr std::size_t kSlots = 4;

  /// Apart from the slots, which most accesses do not need.
  WordSummary summaries[kWords];
  alignas(64) Slot slots[kWords][kSlots];  ///< those of a word are a line of the processor's cache
  u32 more[kWords] = {};                   ///< number of a list of further ones, if there are
};

/// A word of a page.
class ShadowWord {
 public:
  ShadowWord(ShadowPage& page, u64 address)
      : page_(page), index_(address % ShadowPage::kBytes / kWordBytes) {}
  WordSummary& summary() const { return page_.summaries[index_]; }
  Slot (&slots() const)[ShadowPage::kSlots] { return page_.slots[index_]; }
  u32& more() const { return page_.more[index_]; }

 private:
  ShadowPage& page_;
  u64 index_;
};

class AccessShadow {
 public:
  /// Of the word that holds the address.
  ShadowWord at(u64 address) {
    const u64 page = address / ShadowPage::kBytes;
    Recent& recent = recent_[page % kRecent];
    if (recent.page != page) [[unlikely]]
      recent = {page, find_or_make(page)};
    return {*recent.shadow, address};
  }
  /// Shows each word of the range that was ever accessed: visit(address, ShadowWord, bytes of it in the
  /// range).
  template <class Visit>
  void visit(u64 address, u64 size_bytes, Visit visit);
  /// Other objects are there from now on.
  void clear(u64 address, u64 size_bytes) {
    visit(address, size_bytes, [this](u64, ShadowWord word, u8 bytes) { clear(word, bytes); });
  }
  /// Shows all slots of the word: visit(Slot&).
  template <class Visit>
  void slots_of(ShadowWord word, Visit visit) {
    for (Slot& slot : word.slots())
      if (slot.segment != 0) visit(slot);
    if (word.summary().has_more)
      for (Slot& slot : lists_[word.more()]) visit(slot);
  }
  /// Takes the bytes from a slot, which may leave nothing of it.
  static void take(Slot& slot, u8 bytes) {
    slot.bits &= ~u64{bytes};
    if (slot.bytes() == 0) slot.segment = 0;
  }
  void add(ShadowWord word, const Slot& slot);

 private:
  static constexpr std::size_t kRecent = 4096;
  struct Recent {
    u64 page = ~u64{0};
    ShadowPage* shadow = nullptr;
  };

  ShadowPage* find_or_make(u64 page);
  void clear(ShadowWord word, u8 bytes);

  HashMap<u32> pages_;  ///< number by page
  std::vector<std::unique_ptr<ShadowPage>> by_number_{1};
  std::vector<Recent> recent_ = std::vector<Recent>(kRecent);
  std::vector<std::vector<Slot>> lists_{1};
  std::vector<u32> free_lists_;
};

template <class Visit>
void AccessShadow::visit(u64 address, u64 size_bytes, Visit visit) {
  const u64 end = address + size_bytes;
  while (address < end) {
    const u64 page = address / ShadowPage::kBytes, page_end = (page + 1) * ShadowPage::kBytes;
    const u32* const number = pages_.find(page);
    const u64 upto = end < page_end ? end : page_end;
    if (number == nullptr) {
      address = upto;
      continue;
    }
    ShadowPage& shadow = *by_number_[*number];
    while (address < upto) {
      const u64 from = address % kWordBytes;
      const u64 count = std::min(kWordBytes - from, upto - address);
      const ShadowWord word(shadow, address);
      const u8 bytes = static_cast<u8>(((1u << count) - 1) << from);
      if (word.summary().is_used) visit(address, word, bytes);
      address += count;
    }
  }
}

}  // namespace orrery::lens::races
