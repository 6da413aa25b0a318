// The heap at any time of a run: what is live, its sums by call, and the log of every change. It is given the
// changes in their order, in batches, which a thread of its own works through where they are many.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/types.h"
#include "lens/clock.h"
#include "lens/heap/block_map.h"
#include "lens/heap/call_tree.h"
#include "lens/heap/heap_log.h"

namespace orrery::lens::heap {

/// What an allocator was seen to do, or where what follows is done. It goes from one processor to another, so
/// it is kept small.
struct HeapChange {
  enum class Kind : u8 { allocate, release, turn };
  u64 address = 0;     ///< of a turn, the number of the process's next event
  u64 size_bytes = 0;  ///< of a block that is given out
  u64 ticks = 0;
  u32 node = 0;  ///< the call of the allocator; of a turn, the task
  Kind kind = Kind::allocate;
  bool by_allocator = false;  ///< called by the allocator's own file
};
static_assert(sizeof(HeapChange) == 32);

/// Of the blocks that one call of an allocator has given; without inherited ones.
struct NodeSums {
  u64 allocations = 0, bytes = 0;
  u64 temporary = 0;  ///< released before anything else was allocated or released
  u64 live_blocks = 0, live_bytes = 0;
  u64 peak_blocks = 0, peak_bytes = 0;  ///< live when the whole heap was largest; see at_peak()
  u64 peak_epoch = 0;
};

struct HeapSums {
  u64 allocations = 0, bytes = 0, releases = 0, temporary = 0;
  /// Of addresses that no block has; not by the allocator's own file, as glibc's
  /// when a thread ends and its cache of released blocks is given up.
  u64 unknown_releases = 0;
  u64 live_blocks = 0, live_bytes = 0;  ///< with those that were inherited and are still there
  u64 peak_blocks = 0, peak_bytes = 0;
  LoggedPlace peak{};
  u64 peak_ns = 0;  ///< since the recording began
};

/// The heap at one time of the run.
struct HeapSample {
  LoggedPlace place{};
  u64 time_ns = 0;
  u64 live_blocks = 0, live_bytes = 0;
};

/// Processors hand one another whole lines, which they fetch in pairs: what one thread writes all the time
/// lies apart from what another does.
inline constexpr std::size_t kApartBytes = 128;

class alignas(kApartBytes) LiveHeap {
 public:
  /// Is given the log, chunk by chunk, by whichever thread works.
  using Keep = std::function<void(LogChunk)>;
  /// How time goes on before an event, in a task. Asked in the order of the run, by whichever thread works:
  /// events that the replay has only just met need not be decoded again.
  using StretchOf = std::function<Clock::Stretch(u64 event, i32 task)>;
  LiveHeap(Keep keep, StretchOf stretch_of) : keep_(std::move(keep)), stretch_of_(std::move(stretch_of)) {}
  ~LiveHeap();
  LiveHeap(const LiveHeap&) = delete;
  LiveHeap& operator=(const LiveHeap&) = delete;

  /// What a forked process has from the beginning.
  struct Inherited {
    BlockMap blocks{};
    u64 next_block = 0;  ///< the number of the next block
    u64 live_blocks = 0, live_bytes = 0;
    u64 log_entries = 0;  ///< how much of the log tells of them
  };
  /// For a process that is forked now.
  Inherited inheritance() const {
    return {.blocks = blocks_,
            .next_block = next_block_,
            .live_blocks = sums_.live_blocks,
            .live_bytes = sums_.live_bytes,
            .log_entries = sums_.allocations + sums_.releases};
  }
  /// Before anything is added. `place`: where the process begins.
  void inherit(const Inherited& from, const LoggedPlace& place);

  /// One more, all of which is to be filled in before the next is asked for.
  HeapChange& add() {
    if (batch_.used == kBatchChanges) [[unlikely]]
      hand_over();
    return batch_.changes[batch_.used++];
  }
  /// All that was added is counted; only then may anything be asked.
  void settle();
  /// No more comes: the rest of the log is kept.
  void finish();

  const HeapSums& sums() const { return sums_; }
  const std::vector<HeapSample>& samples() const { return samples_; }
  const std::vector<NodeSums>& nodes() const { return nodes_; }  ///< by node; may be shorter than the tree
  /// Of a node, what was live when the heap was largest.
  std::pair<u64, u64> blocks_and_bytes_at_peak(const NodeSums& node) const;
  /// In the order in which they were given out; without inherited ones. Of a heap that is finished, which has
  /// no blocks any more then: they are millions.
  std::vector<LiveBlock> take_live();

 private:
  static constexpr std::size_t kBatchChanges = 8192;
  struct Batch {
    std::unique_ptr<HeapChange[]> changes = std::make_unique<HeapChange[]>(kBatchChanges);
    std::size_t used = 0;
  };
  static constexpr u64 kBatchesAlone = 32;           ///< before it is worth a thread
  static constexpr std::size_t kBatchesWaiting = 4;  ///< then who adds waits too

  void hand_over();
  void work();
  void apply(Batch& batch);
  void turn(u64 event, i32 task);
  void allocate(const HeapChange& made_by);
  void release(const HeapChange& from);
  bool allocate_for_now(const HeapChange& made_by, const HeapChange& from);
  NodeSums& change(CallTree::Node node);
  void sample();
  void keep_if_full();

  Keep keep_;
  StretchOf stretch_of_;
  LogWriter log_;
  BlockMap blocks_;
  std::vector<NodeSums> nodes_;
  HeapSums sums_;
  u64 peak_epoch_ = 1;
  u64 next_block_ = 0;        ///< number of the next block
  u64 first_block_ = 0;       ///< of those that are not inherited
  LoggedPlace place_{};       ///< of the present change
  Clock::Stretch stretch_{};  ///< that it is in
  static constexpr u64 kNoBlock = ~u64{0};
  u64 last_allocated_ = kNoBlock;  ///< number of the block that was allocated last, if nothing came since
  std::vector<HeapSample> samples_;
  u64 sample_every_ = 1, until_sample_ = 1;

  alignas(kApartBytes) Batch batch_;  ///< being filled
  u64 batches_ = 0;
  alignas(kApartBytes) std::thread worker_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Batch> waiting_, empty_;  ///< under mutex_, as what follows; the first one waits longest
  bool works_ = false, ends_ = false;
};

}  // namespace orrery::lens::heap
