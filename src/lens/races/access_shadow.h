// For each word of memory, the accesses that one to come may conflict with: as a rule the last write and the
// last read of each byte, of several readers that none orders the last read of each.
#pragma once

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

struct ShadowWord {
  Slot slots[2];
  u32 more = 0;    ///< number of a list of further ones; 0: none
  u8 atomics = 0;  ///< bytes that atomic instructions, or functions, access
};

class AccessShadow {
 public:
  /// Of the word that holds the address.
  ShadowWord& at(u64 address) {
    const u64 page = address / kPageBytes;
    Recent& recent = recent_[page % kRecent];
    if (recent.page != page) [[unlikely]]
      recent = {page, find_or_make(page)};
    return recent.words[address % kPageBytes / kWordBytes];
  }
  /// Shows each word of the range that was ever accessed: visit(address, ShadowWord&, bytes of it in the
  /// range).
  template <class Visit>
  void visit(u64 address, u64 size_bytes, Visit visit);
  /// Other objects are there from now on.
  void clear(u64 address, u64 size_bytes) {
    visit(address, size_bytes, [this](u64, ShadowWord& word, u8 bytes) { clear(word, bytes); });
  }
  /// Shows all slots of the word: visit(Slot&).
  template <class Visit>
  void slots_of(ShadowWord& word, Visit visit) {
    for (Slot& slot : word.slots)
      if (slot.segment != 0) visit(slot);
    if (word.more != 0)
      for (Slot& slot : lists_[word.more]) visit(slot);
  }
  /// Takes the bytes from a slot, which may leave nothing of it.
  static void take(Slot& slot, u8 bytes) {
    slot.bits &= ~u64{bytes};
    if (slot.bytes() == 0) slot.segment = 0;
  }
  void add(ShadowWord& word, const Slot& slot);

 private:
  static constexpr u64 kPageBytes = 4096;
  static constexpr std::size_t kRecent = 1024;
  using Page = std::unique_ptr<ShadowWord[]>;
  struct Recent {
    u64 page = ~u64{0};
    ShadowWord* words = nullptr;
  };

  ShadowWord* find_or_make(u64 page);
  void clear(ShadowWord& word, u8 bytes);

  HashMap<u32> pages_;  ///< number by page
  std::vector<Page> by_number_{1};
  std::vector<Recent> recent_ = std::vector<Recent>(kRecent);
  std::vector<std::vector<Slot>> lists_{1};
  std::vector<u32> free_lists_;
};

template <class Visit>
void AccessShadow::visit(u64 address, u64 size_bytes, Visit visit) {
  const u64 end = address + size_bytes;
  while (address < end) {
    const u64 page = address / kPageBytes, page_end = (page + 1) * kPageBytes;
    const u32* const number = pages_.find(page);
    const u64 upto = end < page_end ? end : page_end;
    if (number == nullptr) {
      address = upto;
      continue;
    }
    ShadowWord* const words = by_number_[*number].get();
    while (address < upto) {
      const u64 from = address % kWordBytes;
      const u64 count = std::min(kWordBytes - from, upto - address);
      ShadowWord& word = words[address % kPageBytes / kWordBytes];
      const u8 bytes = static_cast<u8>(((1u << count) - 1) << from);
      if (word.slots[0].segment != 0 || word.slots[1].segment != 0 || word.more != 0 || word.atomics != 0)
        visit(address, word, bytes);
      address += count;
    }
  }
}

}  // namespace orrery::lens::races
