// The live blocks by address. Blocks whose addresses are near one another have slots near one another, as an
// allocator gives out one after the other; otherwise it is open addressing with linear probing, erased by
// shifting back (base/hash_map.h).
#pragma once

#include <utility>
#include <vector>

#include "base/types.h"
#include "lens/heap/heap_log.h"

namespace orrery::lens::heap {

struct LiveBlock {
  LoggedBlock block{};
  LoggedPlace made{};
  u64 made_ns = 0;  ///< since the recording began
};

class BlockMap {
 public:
  BlockMap() : slots_(kSlotsFirst) {}
  u64 size() const { return size_; }

  /// Null if no live block begins there; valid until the map changes.
  const LiveBlock* find(u64 address) const {
    for (u64 at = home(address);; at = next(at)) {
      if (slots_[at].block.address == address) return &slots_[at];
      if (slots_[at].block.address == kNoAddress) return nullptr;
    }
  }
  /// Null if a block begins there already. The rest of what is added is to be filled in, where it lies: a
  /// block that is put together elsewhere and copied as a whole at once has the processor wait for its parts.
  LiveBlock* add(u64 address) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    u64 at = home(address);
    for (; slots_[at].block.address != kNoAddress; at = next(at))
      if (slots_[at].block.address == address) return nullptr;
    ++size_;
    slots_[at].block.address = address;
    return &slots_[at];
  }
  /// `known`: what find() returned.
  void erase(const LiveBlock* known) {
    u64 hole = static_cast<u64>(known - slots_.data());
    for (u64 at = next(hole); slots_[at].block.address != kNoAddress; at = next(at)) {
      // Whoever sits at or before the hole on its way from home may move into it.
      const u64 from_home = (at - home(slots_[at].block.address)) & mask_;
      if (from_home < ((at - hole) & mask_)) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole].block.address = kNoAddress;
    --size_;
  }
  /// All of them, in no order; the map is empty then. No other memory is used.
  std::vector<LiveBlock> take() {
    std::vector<LiveBlock> all = std::exchange(slots_, std::vector<LiveBlock>(kSlotsFirst));
    mask_ = kSlotsFirst - 1;
    size_ = 0;
    std::erase_if(all, [](const LiveBlock& slot) { return slot.block.address == kNoAddress; });
    return all;
  }

 private:
  static constexpr u64 kSlotsFirst = 1 << 10;
  static constexpr u64 kNoAddress = 0;  ///< allocators give out none

  u64 next(u64 at) const { return (at + 1) & mask_; }
  /// Each kilobyte of addresses has a place of its own, and its blocks lie there in their order.
  u64 home(u64 address) const {
    const u64 mixed = (address >> 10) * 0x9e37'79b9'7f4a'7c15;
    return ((mixed >> 32) + (address >> 4 & 63)) & mask_;
  }
  LiveBlock& free_slot(u64 address) {
    u64 at = home(address);
    while (slots_[at].block.address != kNoAddress) at = next(at);
    return slots_[at];
  }
  void grow() {
    const std::vector<LiveBlock> before = std::exchange(slots_, std::vector<LiveBlock>(slots_.size() * 2));
    mask_ = slots_.size() - 1;
    for (const LiveBlock& each : before)
      if (each.block.address != kNoAddress) free_slot(each.block.address) = each;
  }

  std::vector<LiveBlock> slots_;
  u64 mask_ = kSlotsFirst - 1;
  u64 size_ = 0;
};

}  // namespace orrery::lens::heap
