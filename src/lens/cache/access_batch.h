// A batch of the stream of accesses on its way from records to the model. Batches are decoded independently
// of one another, each with first-level caches and translation buffers that know nothing when it begins
// (batch_cache.h). What hits there changes nothing behind them, and misses of buffers are only counted; so
// what has to be shown to the model, in order, is what misses a first level, and what was not known.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "base/hash_map.h"
#include "lens/cache/batch_cache.h"
#include "lens/cache/cache_model.h"
#include "translate/access_stream.h"
#include "translate/stretches.h"

namespace orrery::lens::cache {

/// Who uses a line or a page.
enum class Use : u8 {
  data,    ///< the point with this number
  fetch,   ///< the instruction at `address`, which lies there
  engine,  ///< AccessBatch::by_engine has it
};

/// A line or a page that the model has to look at.
struct Shown {
  u64 address = 0;
  u32 number = 0;
  Use use = Use::data;
  bool is_unknown = false;  ///< whether it misses; else it does
  bool is_counted = false;  ///< as a miss of the first level, of its point
  bool goes_on = false;     ///< the next one belongs to the same access
};

struct AccessBatch {
  std::vector<u64> records;  ///< whole ones
  std::vector<Shown> lines, pages;
  std::vector<translate::Access> by_engine;
  /// What is known of first levels and buffers at its end: see Cache::settle().
  std::vector<u64> i1, d1, itlb, dtlb;
};

/// What is known of an access without the model.
struct PointCount {
  u64 references = 0;  ///< of a repeated instruction
  u64 first = 0, buffer = 0;
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
  u16 guest_bytes = 0;
  u16 points = 0;           ///< of the block, that are met until then
  u8 instructions = 0;      ///< as many as a header can say: they have 3825 bytes at most
  u8 other_lines = 0;       ///< of its code, behind the first one; a line has 16 bytes at least
  bool in_page = false;     ///< its code lies in one page
  bool all_simple = false;  ///< the points are
};
static_assert(sizeof(BlockRun) == 16, "a decoder looks at one for each block that ran");

/// Decodes batches; one for each thread that does.
class BatchDecoder {
 public:
  BatchDecoder(const CacheShapes& shapes, const PackedPoints& points);

  /// Fills in what the model has to look at.
  void decode(AccessBatch& batch);

  /// Makes room for so many points.
  void reserve(std::size_t points) {
    runs_.resize(points);
    counts_.resize(points);
  }
  /// Shows the runs of each block since the last time to `visit(block's own point, const BlockRun&)`.
  template <class Visit>
  void take_runs(Visit visit);
  /// Of each point since the last time.
  std::vector<PointCount> take_counts() {
    return std::exchange(counts_, std::vector<PointCount>(counts_.size()));
  }

 private:
  /// Nearly all blocks are left in one or two places.
  struct Runs {
    BlockRun left[2];
  };
  struct MoreRun {
    u32 block = 0;
    BlockRun run{};
  };

  /// `usual`: lines of 64 bytes, pages of 4096.
  template <bool usual>
  void records(AccessBatch& batch);
  template <bool usual>
  [[gnu::always_inline]] inline void block(translate::AccessHeader header, const u64* words,
                                           AccessBatch& batch);
  [[gnu::always_inline]] inline bool finds_code(u64 pc, const BlockRun& run);
  template <bool usual>
  [[gnu::always_inline]] inline void simple_points(const PackedPoints::Row* from, u32 count, const u64* words,
                                                   AccessBatch& batch);
  /// The same where blocks are not as most.
  [[gnu::noinline]] void some_simple_points(const PackedPoints::Row* from, u32 count, const u64* words,
                                            AccessBatch& batch);
  void any_points(const PackedPoints::Row* from, const PackedPoints::Row* to, const u64* words,
                  AccessBatch& batch);
  [[gnu::noinline]] void points_and_lines(const PackedPoints::Row* own, const BlockRun& run, const u64* words,
                                          AccessBatch& batch);
  void engine(translate::AccessHeader header, const u64* words, AccessBatch& batch);
  void odd(u32 point, const u64* words, AccessBatch& batch);
  void repeated(u32 point, const translate::Access& made, u64 element_bytes, AccessBatch& batch);
  /// Of any size.
  void data(const Shown& access, u64 size_bytes, AccessBatch& batch) {
    data_lines(access, size_bytes, batch);
    data_pages(access, size_bytes, batch);
  }
  void data_lines(const Shown& access, u64 size_bytes, AccessBatch& batch);
  void data_pages(const Shown& access, u64 size_bytes, AccessBatch& batch);
  [[gnu::noinline]] void point_lines(const PackedPoints::Row& point, u64 address, AccessBatch& batch);
  [[gnu::noinline]] void point_pages(const PackedPoints::Row& point, u64 address, AccessBatch& batch);
  u32 number_of(const PackedPoints::Row& point) const { return static_cast<u32>(&point - points_.rows()); }
  void fetch(u64 pc, AccessBatch& batch) {
    const bool is_line = code_lines_.use(code_lines_.line_of(pc));
    const bool is_page = code_pages_.use(code_pages_.line_of(pc));
    if (!(is_line & is_page)) [[unlikely]]
      fetch_another(pc, batch);
  }
  [[gnu::noinline]] void fetch_another(u64 pc, AccessBatch& batch);
  BlockRun& run_of(u32 block, translate::AccessHeader header) {
    BlockRun& first = runs_[block].left[0];
    return first.guest_bytes == header.guest_bytes() ? first : other_run_of(block, header);
  }
  [[gnu::noinline]] BlockRun& other_run_of(u32 block, translate::AccessHeader header);
  BlockRun new_run(u32 block, translate::AccessHeader header) const;

  const PackedPoints& points_;
  bool has_usual_shapes_;
  BatchCache data_lines_;
  BatchBuffer code_lines_, data_pages_, code_pages_;
  std::vector<Runs> runs_;          ///< by the block's own point
  HashMap<MoreRun> more_runs_;      ///< of blocks that are left in many places, by block and length
  std::vector<PointCount> counts_;  ///< by point
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
