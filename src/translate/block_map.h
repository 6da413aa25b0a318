// Open-addressing hash from a 64-bit key to a 32-bit index, for look-ups by guest pc and by page. No
// deletions one at a time leave tombstones: a removed key keeps its place with the value kNone.
#pragma once

#include <vector>

#include "base/types.h"
#include "translate/block.h"

namespace orrery::translate {

class IndexMap {
 public:
  /// kNone if absent.
  u32 find(u64 key) const {
    if (slots_.empty()) return kNone;
    for (u64 at = hash(key) & mask_;; at = (at + 1) & mask_) {
      if (!slots_[at].used) return kNone;
      if (slots_[at].key == key) return slots_[at].value;
    }
  }

  /// Sets the value of `key`; kNone removes it.
  void set(u64 key, u32 value) {
    if ((count_ + 1) * 3 > slots_.size() * 2) grow();
    Slot& slot = place(key);
    if (!slot.used) ++count_;
    slot = {key, value, true};
  }

  u64 size() const { return count_; }

  /// Calls visit(key) for every key that has a value.
  template <class Visit>
  void for_each_key(Visit visit) const {
    for (const Slot& slot : slots_)
      if (slot.used && slot.value != kNone) visit(slot.key);
  }

  void clear() {
    slots_.clear();
    count_ = 0;
    mask_ = 0;
  }

 private:
  struct Slot {
    u64 key = 0;
    u32 value = kNone;
    bool used = false;
  };

  /// Neighbours stay neighbours, in 32 slots for the keys of 256 bytes of code: what is looked up next is
  /// near what was looked up last, and so in the cache.
  static u64 hash(u64 key) { return (((key >> 9) * 0x9e37'79b9'7f4a'7c15) >> 20) + ((key >> 4) & 31); }

  Slot& place(u64 key) {
    u64 at = hash(key) & mask_;
    while (slots_[at].used && slots_[at].key != key) at = (at + 1) & mask_;
    return slots_[at];
  }

  void grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(old.empty() ? 4096 : old.size() * 2, Slot{});
    mask_ = slots_.size() - 1;
    count_ = 0;
    for (const Slot& slot : old) {
      if (!slot.used || slot.value == kNone) continue;
      place(slot.key) = slot;
      ++count_;
    }
  }

  std::vector<Slot> slots_;
  u64 count_ = 0;
  u64 mask_ = 0;
};

}  // namespace orrery::translate
