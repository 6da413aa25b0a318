// Leaves out accesses that tell RaceFinder nothing new, before it comes to them: of bytes that the same task
// has accessed the same way a moment ago.
//
// It knows nothing of what orders accesses, only where that may change: at turns, where functions that are
// watched begin and end, and at instructions that are atomic. What it leaves out is not new from one of these
// to the next (an epoch), unless the finder begins a segment in between by what it alone knows; then the
// finder goes through the records of that epoch itself.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "lens/races/filtered_items.h"
#include "lens/races/point_row.h"
#include "translate/access_stream.h"

namespace orrery::lens::races {

class RepeatFilter {
 public:
  explicit RepeatFilter(ItemQueue& items) : items_(items) {}

  /// The next block that may come from here on, whose own row is the first.
  void learn(std::span<const PointRow> rows, std::span<const translate::AccessPoint> points);
  /// The task is in a watched function whose return address lies there; the outermost first.
  void add_open(i32 task, u64 slot) { open_[task].push_back(slot); }
  /// What is read first comes where the task has counted so many ticks.
  void begin(i32 task, u64 ticks);
  /// A batch, of whole records. Nothing is left out because of what was before it.
  void read(std::span<const u64> records);

 private:
  using Item = FilteredItem;
  /// An access that may be left out; of hard blocks, the stack pointer where a watched function begins.
  struct Row {
    u64 address = 0;
    u64 latest = 0;  ///< where it was in this epoch; of a block, the epoch it last ran in
    u16 word = 0;    ///< of a block, how many rows follow
    u16 offset = 0;  ///< of the instruction in its block
    u8 size_bytes = 0;
    u8 index = 0;  ///< how far behind the block's own it was
    u8 how = 0;    ///< kWord, kWrites, kOdd; of a block, PointRow's, kCalls, kReturns, kHard
    u64 address_at(const u64* words) const { return address + (words[word] & (u64{0} - (how & kWord))); }
  };
  static constexpr u8 kWord = 1, kWrites = 2, kOdd = 4;
  static constexpr u8 kCalls = 16, kReturns = 32;  ///< its last row does
  static constexpr u8 kHard = 64;
  /// 64 bytes of memory, and which of them were accessed in an epoch.
  struct Recent {
    u64 key = ~u64{0};
    u64 seen = 0, written = 0;
  };
  static constexpr std::size_t kRecentBits = 13;
  static constexpr u64 kEpochBits = 20, kAddressBits = 47;
  static constexpr u64 kNowhere = ~u64{0};

  void other_record(translate::AccessHeader header, const u64* words);
  void block(translate::AccessHeader header, const u64* words);
  void library_block(Row* own, const u64* words, u32 guest_bytes);
  /// Returns where the first row is that was not executed.
  template <bool kByLibrary>
  const Row* rows(Row* own, const u64* words, u32 guest_bytes);
  /// All of whose accesses the finder is to see.
  void whole_block(translate::AccessHeader header, const u64* words, const Row& own);
  bool may_return(const Row& own, const u64* words, u32 guest_bytes) const;
  void forget_open(u64 slot);
  bool is_new(const Row& row, u64 address);
  void begin_epoch();
  template <bool kByLibrary>
  void put_row(const u64* words, const Row& row, u64 address);
  void put_record(const u64* words, bool ends);
  void put_state();
  u32 offset_of(const u64* words) const { return static_cast<u32>(words - records_.data() - 1); }

  ItemQueue& items_;
  std::vector<Row> rows_;  ///< as the stream's points
  std::vector<Recent> recent_ = std::vector<Recent>(std::size_t{1} << kRecentBits);
  u64 epoch_ = 0;
  std::unordered_map<i32, std::vector<u64>> open_;

  // Of the batch.
  std::span<const u64> records_;
  std::vector<u64>* own_open_ = nullptr;
  u64 lowest_ = kNowhere;  ///< of them
  u64 ticks_ = 0;
  bool is_begun_ = false;  ///< the finder knows of a block of the program in the epoch

  // Where the task is, which the finder need not know before it sees a whole record.
  bool is_told_ = true;
  bool in_library_ = false;
  bool in_string_ = false, knows_string_ = false;
  const u64* call_ = nullptr;  ///< words of the last block of the program that called something
  u64 call_ticks_ = 0;
  u32 depth_ = 0;  ///< calls less returns of the C library since then
};

}  // namespace orrery::lens::races
