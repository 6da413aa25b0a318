#include "lens/errors/heap_shadow.h"

#include <gtest/gtest.h>

#include <map>

#include "base/prng.h"
#include "lens/errors/heap_blocks.h"

namespace orrery::lens::errors {
namespace {

constexpr u64 kHeap = memory::layout::kBrkStart;

TEST(HeapShadow, NothingIsForbiddenWhereNoAllocatorIs) {
  const HeapShadow shadow;
  EXPECT_TRUE(shadow.allows(kHeap, 8));
  EXPECT_TRUE(shadow.allows(0, 4));
  EXPECT_TRUE(shadow.allows(~u64{0} - 7, 8));
  EXPECT_TRUE(shadow.allows(memory::layout::kHighWindow.end - 4, 8));
  EXPECT_FALSE(shadow.is_held(kHeap));
}

TEST(HeapShadow, OnlyBlocksOfItsPagesMayBeTouched) {
  HeapShadow shadow;
  shadow.hold(kHeap, 3 * kPageBytes);
  shadow.give(kHeap + 16, 24);
  EXPECT_TRUE(shadow.allows(kHeap + 16, 24));
  EXPECT_FALSE(shadow.allows(kHeap + 15, 2));
  EXPECT_FALSE(shadow.allows(kHeap + 36, 8));
  EXPECT_TRUE(shadow.allows_some(kHeap + 36, 8));
  EXPECT_EQ(shadow.first_forbidden(kHeap + 36, 8), kHeap + 40);
  shadow.take_back(kHeap + 16, 24);
  EXPECT_FALSE(shadow.allows(kHeap + 16, 1));
  shadow.let_go(kHeap, 3 * kPageBytes);
  EXPECT_TRUE(shadow.allows(kHeap + 16, 1));
}

/// Against a byte for each byte.
TEST(HeapShadow, IsWhatAMapOfBytesSays) {
  constexpr u64 kBytes = 8 * kPageBytes;
  HeapShadow shadow;
  std::vector<u8> forbidden(kBytes, 0);
  std::vector<bool> held(kBytes / kPageBytes, false);
  SplitMix64 prng(7);
  const auto hold_pages = [&](u64 from, u64 size) {
    for (u64 page = from / kPageBytes; page <= (from + size - 1) / kPageBytes; ++page) {
      if (!held[page])
        std::fill_n(forbidden.begin() + static_cast<i64>(page * kPageBytes), kPageBytes, u8{1});
      held[page] = true;
    }
  };
  for (int step = 0; step < 20'000; ++step) {
    const u64 from = prng.below(kBytes - 1), size = 1 + prng.below(std::min<u64>(kBytes - from, 300));
    const u64 what = prng.below(20);
    if (what < 6) {
      hold_pages(from, size);
      std::fill_n(forbidden.begin() + static_cast<i64>(from), size, what < 3 ? u8{0} : u8{1});
      what < 3 ? shadow.give(kHeap + from, size) : shadow.take_back(kHeap + from, size);
    } else if (what == 6) {
      const u64 page = from / kPageBytes;
      std::fill_n(forbidden.begin() + static_cast<i64>(page * kPageBytes), kPageBytes, u8{0});
      held[page] = false;
      shadow.let_go(kHeap + page * kPageBytes, kPageBytes);
    } else {
      u64 first = from;
      while (first < from + size && forbidden[first] == 0) ++first;
      ASSERT_EQ(shadow.first_forbidden(kHeap + from, size), kHeap + first) << step;
      ASSERT_EQ(shadow.allows(kHeap + from, size), first == from + size) << step;
    }
    if (step % 5000 == 0) {
      const HeapShadow copy(shadow);
      for (u64 at = 0; at < kBytes; ++at) ASSERT_EQ(copy.allows(kHeap + at, 1), forbidden[at] == 0);
    }
  }
}

TEST(HeapBlocks, DescribeAnAddressByItsNearestBlock) {
  HeapBlocks blocks;
  blocks.give({.address = kHeap + 64, .size_bytes = 40});
  blocks.give({.address = kHeap + 128, .size_bytes = 16});
  const auto behind = blocks.neighbour(kHeap + 104);
  ASSERT_TRUE(behind);
  EXPECT_EQ(behind->block.address, kHeap + 64);
  EXPECT_EQ(behind->relation, Relation::behind);
  EXPECT_EQ(behind->distance, 0u);
  const auto before = blocks.neighbour(kHeap + 124);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->relation, Relation::before);
  EXPECT_EQ(before->distance, 4u);
  blocks.take_back(kHeap + 64, {.event = 9}, 0);
  const auto freed = blocks.neighbour(kHeap + 70);
  ASSERT_TRUE(freed);
  EXPECT_FALSE(freed->live);
  EXPECT_EQ(freed->relation, Relation::inside);
  EXPECT_EQ(freed->distance, 6u);
  EXPECT_EQ(freed->block.gone.event, 9u);
  EXPECT_FALSE(blocks.neighbour(kHeap + (1 << 20)));
}

}  // namespace
}  // namespace orrery::lens::errors
