// A batch of the stream of accesses on its way from records to the model. Most accesses are to the line that
// was used last of its set, and to the page that was used last of its set: they hit and change nothing. So
// batches are decoded independently of one another, each with a filter that knows nothing when it begins, and
// only what the filter lets through has to be shown to the model, in order.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/hash_map.h"
#include "lens/cache/cache_model.h"
#include "translate/access_stream.h"
#include "translate/stretches.h"

namespace orrery::lens::cache {

/// What the model has to look at.
struct LineAccess {
  enum class Kind : u8 {
    data,   ///< by the point with this number
    fetch,  ///< of the line that the instruction at `address` lies in
    other,  ///< AccessBatch::others has it
  };
  u64 address = 0;
  u32 number = 0;
  u16 size_bytes = 0;
  Kind kind = Kind::data;
};

/// An access of a repeated instruction, or of the engine.
struct OtherAccess {
  static constexpr u32 kNoPoint = ~u32{0};
  translate::Access access{};
  u32 point = kNoPoint;   ///< of a repeated instruction
  u64 element_bytes = 0;  ///< of one
};

struct AccessBatch {
  std::vector<u64> records;          ///< whole ones
  std::vector<LineAccess> accesses;  ///< the first `count` of them
  std::size_t count = 0;
  std::vector<OtherAccess> others;

  /// Where the next ones go, for so many.
  LineAccess* room_for(std::size_t more) {
    if (accesses.size() - count < more) [[unlikely]]
      accesses.resize(2 * (count + more));
    return accesses.data() + count;
  }
  void add(const LineAccess& access) {
    *room_for(1) = access;
    ++count;
  }
  std::span<const LineAccess> to_be_shown() const { return {accesses.data(), count}; }
};

/// All points of a program, packed for decoders: a line of the processor's cache holds those of a block.
class PackedPoints {
 public:
  /// Nearly all accesses are simple: of a size, at a word's value and a displacement.
  struct Row {
    u64 address = 0;  ///< added to the word; of a block, its pc
    u16 offset = 0;   ///< of the instruction in its block
    u16 word = 0;     ///< of a block: how many points follow
    u16 size_bytes = 0;
    bool has_word = false, is_simple = false;

    u64 address_at(const u64* words) const { return address + (words[word] & (u64{0} - has_word)); }
  };

  void reserve(std::size_t count) {
    rows_.reserve(count);
    points_.reserve(count);
  }
  /// Does not move those that are there, as long as there is room.
  void add(std::span<const translate::AccessPoint> points);
  std::size_t size() const { return points_.size(); }
  const Row* rows() const { return rows_.data(); }
  const translate::AccessPoint& operator[](std::size_t number) const { return points_[number]; }

 private:
  std::vector<Row> rows_;
  std::vector<translate::AccessPoint> points_;
  std::size_t left_of_block_ = 0;  ///< points of the last block that are still to come
  u64 block_pc_ = 0;
};

/// How often a block was executed up to some instruction.
struct BlockRun {
  u64 count = 0;
  u16 guest_bytes = 0, instructions = 0;
  u16 points = 0;           ///< of the block, that are met until then
  bool in_line = false;     ///< its code lies in one line
  bool all_simple = false;  ///< the points are
};

/// Decodes batches; one for each thread that does.
class BatchDecoder {
 public:
  BatchDecoder(const CacheShapes& shapes, const PackedPoints& points);

  /// Fills in what the model has to look at.
  void decode(AccessBatch& batch);

  /// Makes room for so many points.
  void reserve(std::size_t points) { runs_.resize(points); }
  /// Shows the runs of each block since the last time to `visit(block's own point, const BlockRun&)`.
  template <class Visit>
  void take_runs(Visit visit);

 private:
  /// The last line or page of each set; of few sets, each stands for several, which lets more through.
  struct Last {
    static constexpr u64 kSetsMost = 512;
    explicit Last(const CacheShape& shape);
    void forget() { std::fill(std::begin(lines), std::end(lines), unknown); }
    bool is(u64 address) const { return lines[address >> shift & mask] == address >> shift; }
    void set(u64 address) { lines[address >> shift & mask] = address >> shift; }

    u32 shift = 63;
    u64 mask = 0, unknown = 0;  ///< of no cache: one line that holds all addresses
    u64 lines[kSetsMost];
  };
  /// Nearly all blocks are left in one or two places.
  struct Runs {
    BlockRun left[2];
  };
  struct MoreRun {
    u32 block = 0;
    BlockRun run{};
  };

  void block(translate::AccessHeader header, const u64* words, AccessBatch& batch);
  void simple_points(const PackedPoints::Row* from, u32 count, const u64* words, AccessBatch& batch) {
    has_usual_shapes_ ? simple_points<true>(from, count, words, batch)
                      : simple_points<false>(from, count, words, batch);
  }
  /// `usual`: lines of 64 bytes, pages of 4096.
  template <bool usual>
  void simple_points(const PackedPoints::Row* from, u32 count, const u64* words, AccessBatch& batch);
  void any_points(const PackedPoints::Row* from, const PackedPoints::Row* to, const u64* words,
                  AccessBatch& batch);
  void points_and_lines(const PackedPoints::Row* own, const BlockRun& run, const u64* words,
                        AccessBatch& batch);
  void engine(translate::AccessHeader header, const u64* words, AccessBatch& batch);
  void odd(u32 point, const u64* words, AccessBatch& batch);
  void data(u32 point, u64 address, u64 size_bytes, AccessBatch& batch);
  [[gnu::noinline]] void touch(u64 address, u64 size_bytes);
  void fetch(u64 pc, AccessBatch& batch) {
    if (!code_line_.is(pc) || !code_page_.is(pc)) show_fetch(pc, batch);
  }
  void show_fetch(u64 pc, AccessBatch& batch);
  BlockRun& run_of(u32 block, translate::AccessHeader header);
  BlockRun new_run(u32 block, translate::AccessHeader header) const;

  const PackedPoints& points_;
  bool has_usual_shapes_;
  Last data_line_, data_page_, code_line_, code_page_;
  std::vector<Runs> runs_;      ///< by the block's own point
  HashMap<MoreRun> more_runs_;  ///< of blocks that are left in many places, by block and length
};

template <class Visit>
void BatchDecoder::take_runs(Visit visit) {
  for (std::size_t block = 0; block < runs_.size(); ++block) {
    for (BlockRun& run : runs_[block].left) {
      if (run.count != 0) visit(static_cast<u32>(block), run);
      run.count = 0;
    }
  }
  more_runs_.for_each([&](u64, const MoreRun& more) { visit(more.block, more.run); });
  more_runs_.clear();
}

}  // namespace orrery::lens::cache
