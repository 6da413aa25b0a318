// Reads the stream of accesses for RaceFinder: from when there are two tasks, RepeatFilter goes through each
// batch in the caller's thread, and the finder, some batches behind, has what is left in a thread of its own.
#pragma once

#include <array>
#include <atomic>
#include <span>
#include <thread>
#include <vector>

#include "lens/races/filtered_items.h"
#include "lens/races/race_finder.h"
#include "lens/races/repeat_filter.h"

namespace orrery::lens::races {

class RaceReader {
 public:
  explicit RaceReader(CodeFacts& code) : finder_(code) {}
  ~RaceReader();
  RaceReader(const RaceReader&) = delete;
  RaceReader& operator=(const RaceReader&) = delete;

  void read(std::span<const u64> records, std::span<const translate::AccessPoint> points);
  /// All that was read has come to the finder, which is the caller's until it reads on: so is what it asks.
  RaceFinder& settled();

 private:
  static constexpr u32 kBatches = 3;  ///< on their way

  void begin();
  void find();
  void wait_for(u32 done);

  RaceFinder finder_;
  std::size_t filtered_points_ = 0;  ///< that the filter knows
  ItemQueue items_;
  RepeatFilter filter_{items_};
  std::array<std::vector<u64>, kBatches> batches_;
  u32 handed_ = 0;  ///< batches
  alignas(64) std::atomic<u32> there_ = 0;
  alignas(64) std::atomic<u32> done_ = 0;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace orrery::lens::races
