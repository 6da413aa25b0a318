// Counts references and misses of every instruction and line of code, from the stream of accesses.
//
// As in cachegrind: instructions are fetched in the order of the program, each before its data; an access
// that lies in two lines is one reference and at most one miss; an instruction that reads and writes one
// place is a read; what the kernel accesses does not count.
//
// Where there is much to count, batches of the stream are decoded by several threads at once, which model the
// first levels too (access_batch.h), and one more shows what they leave to the model, batch after batch.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/hash_map.h"
#include "lens/cache/access_batch.h"
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
  explicit CacheCounter(const CacheShapes& shapes);
  ~CacheCounter();
  CacheCounter(const CacheCounter&) = delete;
  CacheCounter& operator=(const CacheCounter&) = delete;

  void read(std::span<const u64> records, std::span<const translate::AccessPoint> points);

  /// All that was read is counted; only then may anything be taken.
  void settle();
  // What was counted since the last time; stretches before data.
  /// How often code was executed.
  std::vector<translate::StretchCount> take_stretches();
  std::vector<DataCount> take_data();
  std::vector<FetchCount> take_fetches();

 private:
  /// Of each access, by the program's instruction; references of one that is not repeated follow from how
  /// often its block was executed.
  struct PointCounts {
    u64 pc = 0;
    LevelCounts counts{};
    bool writes = false;
  };
  /// Where a batch is. Who is to do the next thing with it waits for that.
  enum class Stage : u32 { empty, filled, decoded, ended };
  struct Slot {
    AccessBatch batch;
    std::atomic<Stage> stage = Stage::empty;

    void wait_for(Stage wanted) const;
    void move_to(Stage next);
  };

  void learn(std::span<const translate::AccessPoint> points);
  void begin_threads();
  void hand_over();
  void decode_every(std::size_t first);
  void count_all();
  void count(const AccessBatch& batch);
  void count_lines(const AccessBatch& batch);
  void count_pages(const AccessBatch& batch);
  LevelCounts& counts_of(const Shown& shown, const AccessBatch& batch);
  LevelCounts& engine_counts(const translate::Access& access);
  void add_references(u32 block, const BlockRun& run);

  static constexpr std::size_t kDecodersMost = 3;
  static constexpr std::size_t kSlots = 4 * kDecodersMost;

  CacheModel model_;
  PackedPoints points_;
  std::vector<LevelCounts> data_;  ///< by point
  HashMap<LevelCounts> fetches_;   ///< by pc
  HashMap<PointCounts> others_;    ///< by pc: accesses that the engine noted
  std::vector<std::unique_ptr<BatchDecoder>> decoders_;

  // Slots are used in turn: batch n lies in slot n % kSlots, and decoder n % (number of them) has it.
  std::array<Slot, kSlots> slots_;
  u64 handed_over_ = 0;  ///< batches; the next one is being filled
  std::vector<std::thread> threads_;
};

}  // namespace orrery::lens::cache
