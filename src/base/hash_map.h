// A hash map from u64 to a small value: open addressing, linear probing, erase by shifting back, so no
// tombstones gather. Grows at 3/4. Iteration order depends only on the history of changes, never on
// addresses of the host, so it is the same on replay.
#pragma once

#include <utility>
#include <vector>

#include "base/types.h"

namespace orrery {

template <class Value>
class HashMap {
 public:
  /// The one key that cannot be stored.
  static constexpr u64 kNoKey = ~u64{0};

  u64 size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    slots_.clear();
    size_ = 0;
  }

  Value* find(u64 key) { return const_cast<Value*>(std::as_const(*this).find(key)); }
  const Value* find(u64 key) const {
    const u64 at = index_of(key);
    return at == kNoKey ? nullptr : &slots_[at].value;
  }

  /// The value of `key`, made by default if there is none.
  Value& operator[](u64 key) {
    if (Value* const found = find(key)) return *found;
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    ++size_;
    return place(key);
  }

  bool erase(u64 key) {
    u64 hole = index_of(key);
    if (hole == kNoKey) return false;
    for (u64 at = (hole + 1) & mask(); slots_[at].key != kNoKey; at = (at + 1) & mask()) {
      // Whoever sits at or before the hole on its way from home may move into it.
      if (((at - home(slots_[at].key)) & mask()) >= ((at - hole) & mask())) {
        slots_[hole] = std::move(slots_[at]);
        hole = at;
      }
    }
    slots_[hole] = Slot{};
    --size_;
    return true;
  }

  /// Calls visit(key, value) for each; the map must not change meanwhile.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_)
      if (slot.key != kNoKey) visit(slot.key, slot.value);
  }

 private:
  struct Slot {
    u64 key = kNoKey;
    Value value{};
  };

  u64 mask() const { return slots_.size() - 1; }
  u64 home(u64 key) const {
    const u64 mixed = key * 0x9e37'79b9'7f4a'7c15;  // Fibonacci hashing (Knuth, TAOCP vol. 3, 6.4)
    return (mixed ^ (mixed >> 32)) & mask();
  }
  u64 index_of(u64 key) const {
    if (size_ == 0) return kNoKey;
    for (u64 at = home(key);; at = (at + 1) & mask()) {
      if (slots_[at].key == key) return at;
      if (slots_[at].key == kNoKey) return kNoKey;
    }
  }
  Value& place(u64 key) {
    u64 at = home(key);
    while (slots_[at].key != kNoKey) at = (at + 1) & mask();
    slots_[at].key = key;
    return slots_[at].value;
  }
  void grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_ = std::vector<Slot>(old.empty() ? 16 : old.size() * 2);
    for (Slot& slot : old)
      if (slot.key != kNoKey) place(slot.key) = std::move(slot.value);
  }

  std::vector<Slot> slots_;
  u64 size_ = 0;
};

}  // namespace orrery
