// A cache, or a translation buffer, in a batch of accesses of which nobody knows what it held when it began.
// What was used since is known; so most accesses are known to hit, and many, once all ways of their set are
// known, to miss. Only the first use of a line in a set whose ways are not all known is left to whoever knows
// what the batch began with. Exact, as with "least recently used" what came before can never lie above what
// is known.
#pragma once

#include <array>
#include <vector>

#include "base/types.h"
#include "lens/cache/cache_model.h"

namespace orrery::lens::cache {

enum class Found : u8 { hit, miss, unknown };

/// Of few ways: the lines of each set in order.
class BatchCache {
 public:
  explicit BatchCache(const CacheShape& shape);
  u32 line_shift() const { return line_shift_; }
  u64 line_of(u64 address) const { return address >> line_shift_; }

  void forget();
  /// Whether it was used last in its set; it hits then, and nothing changes.
  bool is_last(u64 line) const { return last_[line & mask_] == line; }
  Found touch(u64 line) { return is_last(line) ? Found::hit : touch_another(line); }
  /// If it is not the last one used in its set.
  Found touch_another(u64 line);
  /// All that is known, as Cache::settle() wants it.
  void save(std::vector<u64>& sets) const;

  // For loops that keep them at hand.
  const u64* last() const { return last_.data(); }
  u64 mask() const { return mask_; }

 private:
  bool is_there_ = false;
  u32 line_shift_ = 63, others_ = 0;
  u64 mask_ = 0;
  std::vector<u64> last_{0};  ///< of each set; of no cache, one line that holds all addresses
  std::vector<u64> rest_;     ///< the `others_` others of each set
};

/// Of many ways, as translation buffers have them, or used at nearly every access in an order that cannot be
/// foreseen, as lines of code are: when each page, or line, was used last.
class BatchBuffer {
 public:
  explicit BatchBuffer(const CacheShape& shape);
  u32 line_shift() const { return line_shift_; }
  u64 line_of(u64 address) const { return address >> line_shift_; }

  void forget();
  /// Once for several million uses at least.
  void keep_time() {
    if (now_ >= kTimeMost) renumber();
  }
  /// Whether it was at hand; it hits then.
  bool use(u64 page) { return use(page, now_); }
  /// The same for loops that keep the time at hand, and give it back before anything else is asked.
  bool use(u64 page, i32& now) {
    const Head& head = heads_[page % kHeads];
    if (head.page != page) return false;
    now += kWaysMost;
    keys_[head.slot] = now | static_cast<i32>(head.slot % kWaysMost);
    return true;
  }
  i32 now() const { return now_; }
  void set_now(i32 now) { now_ = now; }
  Found touch(u64 page) { return use(page) ? Found::hit : touch_another(page); }
  /// All that is known, as Cache::settle() wants it.
  void save(std::vector<u64>& sets) const;

 private:
  static constexpr u32 kWaysMost = 64, kHeads = 1024, kNoSlot = ~u32{0};
  static constexpr i32 kTimeMost = 1 << 30, kUnused = 0x7fff'ffff;

  /// The pages of one remainder are a chain; the head is the last one that was touched.
  struct Head {
    u64 page = 0;
    u32 slot = kNoSlot;
  };

  Found touch_another(u64 page);
  bool is_in_chain(u64 page);
  u32 oldest_of(u64 set) const;
  void leave_chain(u32 slot);
  void renumber();
  std::vector<i32> in_order(u64 set) const;

  bool is_there_ = false;
  u32 line_shift_ = 63, ways_ = 1;
  u64 mask_ = 0;
  i32 now_ = 0;
  std::array<Head, kHeads> heads_;
  // A set has kWaysMost slots, of which it uses `ways_`.
  std::vector<i32> keys_;   ///< by slot: when it was used, and its number in the set; kUnused
  std::vector<u64> pages_;  ///< by slot
  std::vector<u32> next_;   ///< by slot: in its chain
  std::vector<u32> known_;  ///< by set: how many slots are used
};

}  // namespace orrery::lens::cache
