// Every allocation and release of a run, in their order, in columns: a run may have a hundred million of
// them, and most of their numbers differ little from those before. A chunk can be read by itself, as long as
// its reader knows the blocks that were live when it began; so readers go from the first chunk on.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/types.h"
#include "lens/heap/call_tree.h"

namespace orrery::lens::heap {

struct LoggedBlock {
  u64 number = 0;  ///< counts the blocks of a program, from 0
  u64 address = 0, size_bytes = 0;
  CallTree::Node node = CallTree::kRoot;  ///< the call of the allocator
};

/// Where in the run something was done: the process's next event, the task and its ticks.
struct LoggedPlace {
  u64 event = 0;
  i32 task = 0;
  u64 ticks = 0;
};

/// One column: numbers as little-endian base 128, differences from the one before folded to small ones.
class ColumnWriter {
 public:
  /// `numbers_most`: as many may be put in until it is cleared.
  explicit ColumnWriter(u64 numbers_most)
      : bytes_(std::make_unique_for_overwrite<u8[]>(numbers_most * kNumberBytesMost)) {}
  void put(u64 value) {
    u8* const bytes = bytes_.get();
    std::size_t used = used_;
    for (; value >= 0x80; value >>= 7) bytes[used++] = static_cast<u8>(value | 0x80);
    bytes[used++] = static_cast<u8>(value);
    used_ = used;
  }
  static u64 fold(u64 value, u64& before) {
    const i64 difference = static_cast<i64>(value - before);
    before = value;
    return static_cast<u64>(difference) << 1 ^ static_cast<u64>(difference >> 63);
  }
  std::span<const u8> bytes() const { return {bytes_.get(), used_}; }
  void clear() { used_ = 0; }

 private:
  static constexpr std::size_t kNumberBytesMost = 10;
  std::unique_ptr<u8[]> bytes_;
  std::size_t used_ = 0;
};

class ColumnReader {
 public:
  explicit ColumnReader(std::span<const u8> bytes) : bytes_(bytes) {}
  /// 0 behind the end.
  u64 take();
  u64 take_after(u64& before);

 private:
  std::span<const u8> bytes_;
  std::size_t at_ = 0;
};

struct LogChunk {
  u64 entries = 0;
  u64 first_event = 0;  ///< of its first entry
  std::vector<u8> columns;
};

class LogWriter {
 public:
  LogWriter();
  /// Only where it is not full.
  void allocate(const LoggedPlace& place, const LoggedBlock& made) {
    put_place(0, place);
    put_after(address, made.address);
    put_after(size, made.size_bytes);
    put_after(node, made.node);
    next_block_ = made.number + 1;
  }
  /// Most blocks that are released are young ones.
  void release(const LoggedPlace& place, u64 block_number) {
    put_place(1, place);
    columns_[block].put(next_block_ - block_number);
  }
  /// Before anything is put in: the number of the first block that is allocated, if it is not 0.
  void begin_at(u64 block_number) { next_block_ = block_number; }
  bool is_full() const { return entries_ >= kEntriesMost; }
  bool empty() const { return entries_ == 0; }
  /// What was put in since the last time.
  LogChunk take();

 private:
  static constexpr u64 kEntriesMost = 1 << 16;
  /// `kind`: 1 of a release, and 2 if event or task are others than before, which only then have a number.
  enum Column : u8 { kind, event, task, ticks, address, size, node, block, kColumns };
  void put_after(Column column, u64 value) {
    columns_[column].put(ColumnWriter::fold(value, before_[column]));
  }
  void put_place(u64 what, const LoggedPlace& place) {
    if (entries_++ == 0) first_event_ = place.event;
    const bool elsewhere = place.event != before_[event] || static_cast<u32>(place.task) != before_[task];
    columns_[kind].put(what | (elsewhere ? 2 : 0));
    if (elsewhere) {
      put_after(event, place.event);
      put_after(task, static_cast<u32>(place.task));
    }
    put_after(ticks, place.ticks);
  }

  std::vector<ColumnWriter> columns_;
  u64 before_[kColumns] = {};
  u64 next_block_ = 0, first_event_ = 0, entries_ = 0;
  friend class LogReader;
};

/// A chunk's entries, one by one; of damaged bytes it makes some entries, too.
class LogReader {
 public:
  explicit LogReader(std::span<const u8> columns);
  struct Entry {
    bool is_release = false;
    LoggedPlace place{};
    LoggedBlock block{};  ///< of a release only its number
  };
  /// `next_block`: the number of the next block that is allocated, kept from chunk to chunk.
  Entry next(u64& next_block);

 private:
  std::vector<ColumnReader> columns_;
  u64 before_[LogWriter::kColumns] = {};
};

}  // namespace orrery::lens::heap
