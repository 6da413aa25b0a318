// What a program's heap is at any time: follows the stream of calls through the functions of its allocators.
//
// Only the outermost of nested allocator functions counts (operator new calls malloc, calloc may call
// malloc), as for heaptrack. A block is live from the return of the function that gave it to the call of the
// one that takes it back.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/hash_map.h"
#include "lens/heap/allocator_functions.h"
#include "lens/heap/call_tree.h"
#include "lens/heap/heap_log.h"
#include "translate/call_stream.h"

namespace orrery::lens::heap {

/// Of the blocks that one call of an allocator has given.
struct NodeSums {
  u64 allocations = 0, bytes = 0;
  u64 temporary = 0;  ///< released before anything else was allocated or released
  u64 live_blocks = 0, live_bytes = 0;
  u64 peak_blocks = 0, peak_bytes = 0;  ///< live when the whole heap was largest; see HeapTracker::at_peak()
  u64 peak_epoch = 0;
};

struct HeapSums {
  u64 allocations = 0, bytes = 0, releases = 0, temporary = 0, failed = 0;
  /// Of addresses that no block has, or had before the fork; not by the allocator's own file, as glibc's
  /// when a thread ends and its cache of released blocks is given up.
  u64 unknown_releases = 0;
  u64 live_blocks = 0, live_bytes = 0;
  u64 peak_blocks = 0, peak_bytes = 0;
  LoggedPlace peak{};
};

/// The heap at one time of the run.
struct HeapSample {
  LoggedPlace place{};
  u64 live_blocks = 0, live_bytes = 0;
};

class HeapTracker {
 public:
  /// Is given the log, chunk by chunk.
  using Keep = std::function<void(LogChunk)>;
  explicit HeapTracker(Keep keep) : keep_(std::move(keep)) {}

  /// Functions that are watched from here on, by address; of a file that is mapped from `begin` to `end`.
  void watch(const std::map<u64, const AllocatorFunction*>& functions, u64 begin, u64 end);
  /// The function of kind allocate_to that has just returned has stored this address.
  void stored(u64 address);

  // --- the stream of calls (translate::read_calls) ---
  void turn(i32 task, u64 event, u64 ticks);
  void call(u64 pc, u64 rsp) {
    if (calls_ == nullptr) return;
    calls_->call(pc, rsp);
    if (calls_->has_pending()) drop_abandoned(rsp);
  }
  void ret(u64 /*pc*/, u64 rsp, u64 rax) {
    if (calls_ == nullptr) return;
    calls_->ret(rsp);
    if (calls_->has_pending()) returned(rsp, rax);
  }
  void entry(u64 pc, const translate::EnteredFunction& entered);

  /// No more comes: the rest of the log is kept.
  void finish();

  const CallTree& tree() const { return tree_; }
  const HeapSums& sums() const { return sums_; }
  const std::vector<HeapSample>& samples() const { return samples_; }
  const std::vector<NodeSums>& nodes() const { return nodes_; }  ///< by node; may be shorter than the tree
  /// Of a node, what was live when the heap was largest.
  std::pair<u64, u64> blocks_and_bytes_at_peak(const NodeSums& node) const;

  struct Live {
    LoggedBlock block{};
    LoggedPlace made{};
  };
  std::vector<Live> live() const;

 private:
  struct Block {
    u64 number, size_bytes;
    CallTree::Node node;
    u32 place;  ///< index in places_, of blocks that are live
  };
  void returned(u64 rsp, u64 rax);
  void drop_abandoned(u64 rsp);
  void allocate(const TaskCalls::Pending& from, u64 address);
  void release(const TaskCalls::Pending& from, u64 address);
  NodeSums& change(CallTree::Node node);
  void sample(const LoggedPlace& place);
  void keep_if_full();
  LoggedPlace place_of(const TaskCalls::Pending& from) const;

  Keep keep_;
  CallTree tree_;
  LogWriter log_;
  HashMap<u32> functions_;  ///< number by address
  struct Watched {
    const AllocatorFunction* function;
    u64 begin, end;  ///< of its file
  };
  std::vector<Watched> by_number_;
  std::unordered_map<i32, TaskCalls> tasks_;
  TaskCalls* calls_ = nullptr;  ///< of the task that runs
  i32 task_ = 0;
  u64 event_ = 0;
  std::optional<TaskCalls::Pending> to_be_stored_;
  HashMap<Block> blocks_;  ///< live, by address
  std::vector<LoggedPlace> places_;
  std::vector<u32> free_places_;
  std::vector<NodeSums> nodes_;
  HeapSums sums_;
  u64 peak_epoch_ = 1;
  static constexpr u64 kNoBlock = ~u64{0};
  u64 last_allocated_ = kNoBlock;  ///< number of the block that was allocated last, if nothing came since
  std::vector<HeapSample> samples_;
  u64 sample_every_ = 1, until_sample_ = 1;
};

}  // namespace orrery::lens::heap
