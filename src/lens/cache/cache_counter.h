// Counts references and misses of every instruction and line of code, from the stream of accesses.
//
// As in cachegrind: instructions are fetched in the order of the program, each before its data; an access
// that lies in two lines is one reference and at most one miss; an instruction that reads and writes one
// place is a read; what the kernel accesses does not count.
#pragma once

#include <span>
#include <vector>

#include "base/hash_map.h"
#include "lens/cache/cache_model.h"
#include "translate/access_stream.h"
#include "translate/stretches.h"

namespace orrery::lens::cache {

struct LevelCounts {
  u64 references = 0, first = 0, second = 0, last = 0, buffer = 0;

  void add(const LevelCounts& other) {
    references += other.references;
    first += other.first;
    second += other.second;
    last += other.last;
    buffer += other.buffer;
  }
  void add(const Misses& misses) {
    first += (misses & kMissesFirst) != 0;
    second += (misses & kMissesSecond) != 0;
    last += (misses & kMissesLast) != 0;
    buffer += (misses & kMissesBuffer) != 0;
  }
};

struct DataCount {
  u64 pc = 0;
  bool writes = false;
  LevelCounts counts{};
};

/// Misses while fetching from the line of code that `pc` lies in, for the first instruction there.
struct FetchCount {
  u64 pc = 0;
  LevelCounts counts{};  ///< no references
};

class CacheCounter {
 public:
  explicit CacheCounter(const CacheShapes& shapes) : model_(shapes) {}

  void read(std::span<const u64> records, std::span<const translate::AccessPoint> points);

  // What was counted since the last time; data before stretches.
  std::vector<DataCount> take_data();
  std::vector<FetchCount> take_fetches();
  /// How often code was executed.
  std::vector<translate::StretchCount> take_stretches();

 private:
  /// How often a block was executed up to some instruction; nearly all are left in one or two places.
  struct Runs {
    u64 pc = 0;
    struct Left {
      u32 guest_bytes = 0, instructions = 0;
      i64 count = 0;
    } left[2];
  };
  struct MoreRuns {
    u32 block = 0;
    translate::StretchCount run{};
  };
  /// Of each access, by the program's instruction; references of one that is not repeated follow from how
  /// often its block was executed.
  struct PointCounts {
    u64 pc = 0;
    LevelCounts counts{};
    bool writes = false;
  };

  void block(translate::AccessHeader header, const u64* words);
  void engine(translate::AccessHeader header, const u64* words);
  void count_run(u32 block, u64 pc, translate::AccessHeader header);
  void fetch(u64 line, u64 pc);
  void add_misses(std::size_t point, u64 address, u64 size_bytes);
  void odd(std::size_t point, const translate::AccessPoint& at, const u64* words);
  void repeated(LevelCounts& counts, const translate::Access& access, u64 element_bytes);
  void add_references();

  CacheModel model_;
  u64 fetched_ = ~u64{0};                       ///< the line of code fetched last
  std::vector<Runs> runs_;                      ///< by the block's own point
  std::vector<LevelCounts> data_;               ///< by point
  std::vector<translate::AccessPoint> points_;  ///< as they were read last
  HashMap<LevelCounts> fetches_;                ///< by pc
  HashMap<PointCounts> others_;                 ///< by pc: accesses that the engine noted
  HashMap<MoreRuns> more_runs_;  ///< by block and length: of blocks that are left in many places
};

}  // namespace orrery::lens::cache
