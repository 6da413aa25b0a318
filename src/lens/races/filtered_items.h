// What RepeatFilter leaves of a batch of the stream for RaceFinder, on its way from one thread to another.
#pragma once

#include <atomic>
#include <vector>

#include "base/types.h"

namespace orrery::lens::races {

struct FilteredItem {
  enum class Kind : u8 {
    access,  ///< a simple one of a block of the program
    inside,  ///< of one of the C library's, for strings
    odd,     ///< another one of a block of the program
    block,   ///< only that such a block begins, the first of the epoch
    state,   ///< where the task is
    record,  ///< all of a record
    end,     ///< of the batch
  };
  static constexpr u8 kInLibrary = 1, kInString = 2, kKnowsString = 4;
  static constexpr u32 kNoRecord = ~u32{0};

  u64 address = 0;  ///< of a simple access
  u32 at = 0;   ///< the record's first word in the batch; of a state, of the last block that called something
  u32 row = 0;  ///< of an access: how far behind the block's own; of a state, calls less returns since then
  u32 ticks = 0;  ///< of the task before the record: the low half of their number
  Kind kind = Kind::end;
  bool ends = false;  ///< an epoch (repeat_filter.h), with this record
  u8 size_bytes = 0;  ///< of a simple access
  u8 how = 0;         ///< whether it writes; of a state, kInLibrary and so on
};

/// From one thread to another, in order. Whoever puts shows several at once, and all at a batch's end.
class ItemQueue {
 public:
  void put(const FilteredItem& item) {
    if (put_ == chunk_end_) next_chunk();
    items_[put_++ % kRoom] = item;
  }
  /// Shows what was put.
  void show() {
    shown_.store(put_, std::memory_order_release);
    shown_.notify_one();
    chunk_end_ = put_;
    chunk_ = kChunkFirst;
  }

  /// The next one, valid until another is asked for.
  const FilteredItem& next() {
    if (taken_ == seen_) wait();
    return items_[taken_++ % kRoom];
  }
  /// So many behind the next one, if it has been seen to be there.
  const FilteredItem* ahead(u32 count) const {
    return seen_ - taken_ > count ? &items_[(taken_ + count) % kRoom] : nullptr;
  }

 private:
  static constexpr u32 kRoom = 1 << 14, kChunkFirst = 64, kChunkMost = kRoom / 4;

  /// Shows what was put, and waits for room for more.
  void next_chunk() {
    shown_.store(put_, std::memory_order_release);
    shown_.notify_one();
    chunk_end_ = put_ + chunk_;
    chunk_ = chunk_ < kChunkMost ? 2 * chunk_ : chunk_;
    for (u32 done; chunk_end_ - (done = done_.load(std::memory_order_acquire)) > kRoom;)
      done_.wait(done, std::memory_order_acquire);
  }
  void wait() {
    done_.store(taken_, std::memory_order_release);
    done_.notify_one();
    while ((seen_ = shown_.load(std::memory_order_acquire)) == taken_)
      shown_.wait(seen_, std::memory_order_acquire);
  }

  static constexpr std::size_t kApart = 64;  ///< bytes: a line of the processor's cache
  std::vector<FilteredItem> items_ = std::vector<FilteredItem>(kRoom);
  // Counts of items, from the beginning.
  alignas(kApart) u32 put_ = 0;
  u32 chunk_end_ = 0, chunk_ = kChunkFirst;
  alignas(kApart) u32 taken_ = 0;
  u32 seen_ = 0;
  alignas(kApart) std::atomic<u32> shown_ = 0;
  alignas(kApart) std::atomic<u32> done_ = 0;
};

}  // namespace orrery::lens::races
