#include "trace/chunk_cache_hosted.h"

#include <utility>

namespace orrery::trace {

DecodedChunk ChunkCache::find(u64 offset) {
  const std::lock_guard lock(mutex_);
  const auto found = chunks_.find(offset);
  return found == chunks_.end() ? nullptr : found->second;
}

void ChunkCache::keep(u64 offset, DecodedChunk chunk) {
  const std::lock_guard lock(mutex_);
  const u64 size_bytes = chunk->size();
  if (!chunks_.try_emplace(offset, std::move(chunk)).second) return;
  order_.push_back(offset);
  bytes_ += size_bytes;
  while (bytes_ > kBytesMost && order_.size() > 1) {
    const auto oldest = chunks_.find(order_.front());
    order_.pop_front();
    bytes_ -= oldest->second->size();
    chunks_.erase(oldest);
  }
}

std::optional<ChunkKinds> ChunkCache::find_kinds(u64 offset) {
  const std::lock_guard lock(mutex_);
  const auto found = kinds_.find(offset);
  return found == kinds_.end() ? std::nullopt : std::optional(found->second);
}

void ChunkCache::keep_kinds(u64 offset, const ChunkKinds& kinds) {
  const std::lock_guard lock(mutex_);
  kinds_.try_emplace(offset, kinds);
}

}  // namespace orrery::trace
