// Chunks that were decoded lately. A replay's feeder and those who look at its events go through a trace
// within a ring's length of each other: the first one decodes a chunk, and the others find it here. What
// kinds of events a chunk has is kept of all of them.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "trace/chunk_hosted.h"

namespace orrery::trace {

/// The events of a chunk as ChunkDecoder leaves them.
using DecodedChunk = std::shared_ptr<const std::vector<u8>>;

/// Of one trace, for readers on several threads.
class ChunkCache {
 public:
  /// Null if it is not there (any more). `offset`: of the chunk in the file.
  DecodedChunk find(u64 offset);
  void keep(u64 offset, DecodedChunk chunk);
  std::optional<ChunkKinds> find_kinds(u64 offset);
  void keep_kinds(u64 offset, const ChunkKinds& kinds);

 private:
  /// A ring and some more.
  static constexpr u64 kBytesMost = u64{40} << 20;

  std::mutex mutex_;
  std::map<u64, DecodedChunk> chunks_;  ///< by offset
  std::deque<u64> order_;               ///< the oldest first
  u64 bytes_ = 0;
  std::unordered_map<u64, ChunkKinds> kinds_;
};

}  // namespace orrery::trace
