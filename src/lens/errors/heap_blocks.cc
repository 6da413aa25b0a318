#include "lens/errors/heap_blocks.h"

#include <algorithm>

namespace orrery::lens::errors {
namespace {

/// Nearer ones first; of two, what lies behind a block is likelier than what lies before one.
u64 farness(const Neighbour& neighbour) {
  return neighbour.distance * 2 + (neighbour.relation == Relation::before ? 1 : 0);
}

std::optional<Neighbour> relate(const HeapBlock& block, bool live, u64 address, u64 most) {
  const u64 end = block.address + std::max<u64>(1, block.size_bytes);
  if (address >= block.address && address < end)
    return Neighbour{block, live, Relation::inside, address - block.address};
  if (address >= end && address - end < most) return Neighbour{block, live, Relation::behind, address - end};
  if (address < block.address && block.address - address <= most)
    return Neighbour{block, live, Relation::before, block.address - address};
  return std::nullopt;
}

}  // namespace

void HeapBlocks::give(const HeapBlock& block) {
  HeapBlock& kept = live_[block.address];
  kept = block;
  kept.number = ++given_;
}

const HeapBlock* HeapBlocks::find(u64 address) const { return live_.find(address); }

void HeapBlocks::take_back(u64 address, const Place& gone, u64 gone_by) {
  gone_.push_back(*live_.find(address));
  gone_.back().gone = gone;
  gone_.back().gone_by = gone_by;
  live_.erase(address);
  if (gone_.size() > kGoneMost) gone_.pop_front();
}

std::optional<Neighbour> HeapBlocks::neighbour(u64 address) const {
  std::optional<Neighbour> nearest;
  const auto consider = [&](const HeapBlock& block, bool live) {
    const std::optional<Neighbour> each = relate(block, live, address, kNearBytes);
    if (each && (!nearest || farness(*each) < farness(*nearest))) nearest = each;
  };
  // The last block that had the address; a live one cannot.
  for (auto block = gone_.rbegin(); block != gone_.rend(); ++block)
    if (const auto inside = relate(*block, false, address, 0); inside && inside->relation == Relation::inside)
      return inside;
  live_.for_each([&](u64, const HeapBlock& block) { consider(block, true); });
  if (nearest) return nearest;
  for (auto block = gone_.rbegin(); block != gone_.rend(); ++block) consider(*block, false);
  return nearest;
}

std::vector<HeapBlock> HeapBlocks::live() const {
  std::vector<HeapBlock> blocks;
  live_.for_each([&](u64, const HeapBlock& block) { blocks.push_back(block); });
  std::sort(blocks.begin(), blocks.end(),
            [](const HeapBlock& a, const HeapBlock& b) { return a.address < b.address; });
  return blocks;
}

}  // namespace orrery::lens::errors
