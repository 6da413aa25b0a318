// The blocks of one program's heap in the order of its run, from the log that the heap lens has kept: each is
// given out when the allocator's function is entered, and given back so.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lens/heap/heap_log.h"
#include "lens/heap/heap_tables.h"

namespace orrery::lens::cache {

/// Of the heap's whole log, in the order of its chunks: each program's, by process and program.
class HeapLogs {
 public:
  using Chunks = std::shared_ptr<const std::vector<heap::LogRow>>;
  explicit HeapLogs(std::vector<heap::LogRow> rows);

  /// Null if it has no heap.
  Chunks of(u32 process, u32 program) const;
  /// The program of a process that had a heap last when its next event is this one.
  u32 program_at(u32 process, u64 event) const;

 private:
  std::map<std::pair<u32, u32>, std::shared_ptr<std::vector<heap::LogRow>>> by_program_;
};

class HeapHistory {
 public:
  explicit HeapHistory(HeapLogs::Chunks chunks) : chunks_(std::move(chunks)) { take_next(); }

  /// Whether something was given out or back by then.
  bool is_due(u64 event, i32 task, u64 ticks) const {
    if (next_.place.event != event) return next_.place.event < event;
    return next_.place.task == task && next_.place.ticks <= ticks;
  }
  /// All of that: `allocate(const LoggedBlock&)`, `release(const LoggedBlock&)`.
  template <class Allocate, class Release>
  void go_to(u64 event, i32 task, u64 ticks, Allocate allocate, Release release) {
    for (; is_due(event, task, ticks); take_next()) {
      if (!next_.is_release) {
        live_[next_.block.number] = next_.block;
        allocate(next_.block);
      } else if (const auto known = live_.find(next_.block.number); known != live_.end()) {
        release(known->second);
        live_.erase(known);
      }
    }
  }

 private:
  void take_next();

  HeapLogs::Chunks chunks_;
  std::size_t chunk_ = 0;  ///< the next
  std::unique_ptr<heap::LogReader> reader_;
  u64 entries_left_ = 0, next_block_ = 0;
  heap::LogReader::Entry next_;  ///< at its end, of no event
  std::unordered_map<u64, heap::LoggedBlock> live_;
};

}  // namespace orrery::lens::cache
