// A sorted set of disjoint intervals, made for tens of thousands of memory regions: a two-level array
// (leaves of up to kLeafItems items under one index). Look-up is two binary searches; insert and erase
// move one leaf's items and, when a leaf is split or emptied, the index. Each leaf knows the largest gap
// below its items, so the search for free space skips leaves.
//
// A red-black or maple tree has better bounds; at 65,530 items (the kernel's limit on mappings) this has
// an index of about 1,500 entries, which one memmove of 24 KiB shifts, and it iterates in memory order.
//
// T is trivially copyable and has `start`, `end` (exclusive) and `lower_edge()` <= start: how far down the
// item keeps free space away (a guard gap). Positions are invalidated by every change but resize().
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "base/types.h"

namespace orrery {

template <class T, u32 kLeafItems = 64>
class IntervalMap {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  struct Position {
    u32 leaf = 0;
    u32 slot = 0;
    bool operator==(const Position&) const = default;
  };

  class Iterator {
   public:
    using value_type = T;
    using reference = const T&;
    using pointer = const T*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;
    Iterator() = default;
    Iterator(const IntervalMap* map, Position at) : map_(map), at_(at) {}
    const T& operator*() const { return map_->at(at_); }
    const T* operator->() const { return &map_->at(at_); }
    Iterator& operator++() {
      at_ = map_->next(at_);
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const IntervalMap* map_ = nullptr;
    Position at_;
  };

  Iterator begin() const { return {this, Position{}}; }
  Iterator end() const { return {this, end_position()}; }
  u64 size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    leaves_.clear();
    size_ = 0;
  }

  Position end_position() const { return {static_cast<u32>(leaves_.size()), 0}; }
  bool is_end(Position at) const { return at.leaf == leaves_.size(); }
  bool is_first(Position at) const { return at.leaf == 0 && at.slot == 0; }
  const T& at(Position at) const { return leaves_[at.leaf].items->item[at.slot]; }
  /// The caller changes no bounds through it (see resize).
  T& at(Position at) { return leaves_[at.leaf].items->item[at.slot]; }

  Position next(Position at) const {
    if (at.slot + 1 < leaves_[at.leaf].items->count) return {at.leaf, at.slot + 1};
    return {at.leaf + 1, 0};
  }
  /// Precondition: !is_first(at).
  Position previous(Position at) const {
    if (at.slot > 0) return {at.leaf, at.slot - 1};
    return {at.leaf - 1, leaves_[at.leaf - 1].items->count - 1};
  }

  /// The first item that ends above `address`: the one that holds it, or the next one.
  Position first_ending_above(u64 address) const {
    if (leaves_.empty()) return end_position();
    const u32 leaf = leaf_for(address);
    const Items& items = *leaves_[leaf].items;
    const T* const found = std::partition_point(items.item, items.item + items.count,
                                                [&](const T& item) { return item.end <= address; });
    const u32 slot = static_cast<u32>(found - items.item);
    return slot < items.count ? Position{leaf, slot} : Position{leaf + 1, 0};
  }

  /// The item that holds `address`, or null.
  const T* find(u64 address) const {
    const Position found = first_ending_above(address);
    if (is_end(found) || at(found).start > address) return nullptr;
    return &at(found);
  }

  /// Precondition: nothing overlaps it.
  Position insert(const T& item) {
    ++size_;
    if (leaves_.empty()) leaves_.push_back({item.start, 0, std::make_unique<Items>()});
    u32 leaf = leaf_for(item.start);
    if (leaves_[leaf].items->count == kLeafItems) {
      split_leaf(leaf);
      leaf = leaf_for(item.start);
    }
    Items& items = *leaves_[leaf].items;
    T* const place = std::partition_point(items.item, items.item + items.count,
                                          [&](const T& other) { return other.start < item.start; });
    std::move_backward(place, items.item + items.count, items.item + items.count + 1);
    *place = item;
    ++items.count;
    refresh(leaf);
    return {leaf, static_cast<u32>(place - items.item)};
  }

  /// Returns the position of the item after it.
  Position erase(Position at) {
    --size_;
    Items& items = *leaves_[at.leaf].items;
    std::move(items.item + at.slot + 1, items.item + items.count, items.item + at.slot);
    --items.count;
    if (items.count == 0) {
      leaves_.erase(leaves_.begin() + at.leaf);
      if (at.leaf < leaves_.size()) refresh(at.leaf);
      return {at.leaf, 0};
    }
    if (at.leaf + 1 < leaves_.size() && items.count + leaves_[at.leaf + 1].items->count <= kLeafItems / 2)
      join_with_next(at.leaf);
    refresh(at.leaf);
    return at.slot < items.count ? at : Position{at.leaf + 1, 0};
  }

  /// Changes the bounds of one item; it must not pass its neighbours.
  void resize(Position at, u64 start, u64 end) {
    T& item = this->at(at);
    item.start = start;
    item.end = end;
    refresh(at.leaf);
  }

  /// The highest place for `size_bytes` in [from, to) that is a multiple of `align` (a power of two).
  std::optional<u64> find_gap_below(u64 from, u64 to, u64 size_bytes, u64 align) const {
    if (size_bytes == 0 || to <= from || to - from < size_bytes) return std::nullopt;
    Position upper = first_ending_above(to);
    if (is_end(upper)) {
      const u64 floor = is_first(upper) ? 0 : at(previous(upper)).end;
      if (const auto place = fit(std::max(from, floor), to, size_bytes, align)) return place;
      if (is_first(upper) || floor <= from) return std::nullopt;
      upper = previous(upper);
    }
    for (;;) {
      if (leaves_[upper.leaf].gap_most >= size_bytes) {
        const u64 floor = is_first(upper) ? 0 : at(previous(upper)).end;
        const u64 ceiling = std::min(to, at(upper).lower_edge());
        if (const auto place = fit(std::max(from, floor), ceiling, size_bytes, align)) return place;
        if (is_first(upper) || floor <= from) return std::nullopt;
        upper = previous(upper);
        continue;
      }
      if (upper.leaf == 0 || leaves_[upper.leaf].first <= from) return std::nullopt;
      upper = {upper.leaf - 1, leaves_[upper.leaf - 1].items->count - 1};
    }
  }

 private:
  struct Items {
    u32 count = 0;
    T item[kLeafItems];
  };
  struct Leaf {
    u64 first = 0;     ///< start of the first item
    u64 gap_most = 0;  ///< largest free space directly below an item of this leaf
    std::unique_ptr<Items> items;
  };

  static std::optional<u64> fit(u64 floor, u64 ceiling, u64 size_bytes, u64 align) {
    if (ceiling <= floor || ceiling - floor < size_bytes) return std::nullopt;
    const u64 place = (ceiling - size_bytes) & ~(align - 1);
    if (place < floor) return std::nullopt;
    return place;
  }

  /// The last leaf that begins at or below `address`, else the first.
  u32 leaf_for(u64 address) const {
    const auto above = std::partition_point(leaves_.begin(), leaves_.end(),
                                            [&](const Leaf& leaf) { return leaf.first <= address; });
    return above == leaves_.begin() ? 0 : static_cast<u32>(above - leaves_.begin() - 1);
  }

  void split_leaf(u32 leaf) {
    auto upper = std::make_unique<Items>();
    Items& lower = *leaves_[leaf].items;
    constexpr u32 kKept = kLeafItems / 2;
    upper->count = lower.count - kKept;
    std::copy(lower.item + kKept, lower.item + lower.count, upper->item);
    lower.count = kKept;
    leaves_.insert(leaves_.begin() + leaf + 1, Leaf{upper->item[0].start, 0, std::move(upper)});
    refresh(leaf);
  }

  void join_with_next(u32 leaf) {
    Items& lower = *leaves_[leaf].items;
    const Items& upper = *leaves_[leaf + 1].items;
    std::copy(upper.item, upper.item + upper.count, lower.item + lower.count);
    lower.count += upper.count;
    leaves_.erase(leaves_.begin() + leaf + 1);
  }

  /// Recomputes what the index says of a changed leaf; the gap below the next leaf's first item counts there.
  void refresh(u32 leaf) {
    refresh_one(leaf);
    if (leaf + 1 < leaves_.size()) refresh_one(leaf + 1);
  }
  void refresh_one(u32 leaf) {
    Leaf& entry = leaves_[leaf];
    entry.first = entry.items->item[0].start;
    u64 below = leaf == 0 ? 0 : leaves_[leaf - 1].items->item[leaves_[leaf - 1].items->count - 1].end;
    u64 most = 0;
    for (u32 slot = 0; slot < entry.items->count; ++slot) {
      const u64 edge = entry.items->item[slot].lower_edge();
      if (edge > below) most = std::max(most, edge - below);
      below = entry.items->item[slot].end;
    }
    entry.gap_most = most;
  }

  std::vector<Leaf> leaves_;
  u64 size_ = 0;
};

}  // namespace orrery
