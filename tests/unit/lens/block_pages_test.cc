#include "lens/cache/block_pages.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace orrery::lens::cache {
namespace {

TEST(BlockPages, FindsBlocksByAnyOfTheirBytes) {
  BlockPages pages;
  EXPECT_EQ(pages.find(0x1000), BlockPages::kNone);
  pages.set(0x1010, 24, 1);
  pages.set(0x1030, 3 * kPageBytes, 2);
  EXPECT_EQ(pages.find(0x1010), 1U);
  EXPECT_EQ(pages.find(0x1027), 1U);
  EXPECT_EQ(pages.find(0x1028), BlockPages::kNone);
  EXPECT_EQ(pages.find(0x1030), 2U);
  EXPECT_EQ(pages.find(0x3000), 2U);
  EXPECT_EQ(pages.find(0x402f), 2U);
  EXPECT_EQ(pages.find(0x4030), BlockPages::kNone);
  pages.set(0x1030, 3 * kPageBytes, BlockPages::kNone);
  EXPECT_EQ(pages.find(0x2000), BlockPages::kNone);
  EXPECT_EQ(pages.find(0x1010), 1U);
}

/// Blocks that come and go at random, against a map of all of them.
TEST(BlockPages, IsEqualToAMap) {
  std::mt19937_64 random(7);
  BlockPages pages;
  std::map<u64, std::pair<u64, u32>> live;  // end and number by begin
  for (u32 number = 1; number < 4000; ++number) {
    const u64 begin = (random() % 4096) * 32, size = 1 + random() % (number % 7 == 0 ? 20000 : 200);
    const auto next = live.lower_bound(begin);
    const bool overlaps = (next != live.end() && next->first < begin + size + 8) ||
                          (next != live.begin() && std::prev(next)->second.first + 8 > begin);
    if (!overlaps) {
      live[begin] = {begin + size, number};
      pages.set(begin, size, number);
    } else if (next != live.end()) {
      pages.set(next->first, next->second.first - next->first, BlockPages::kNone);
      live.erase(next);
    }
    for (int probe = 0; probe < 20; ++probe) {
      const u64 at = random() % (4200 * 32);
      auto of = live.upper_bound(at);
      const u64 granule_end = of == live.begin() ? 0 : (std::prev(of)->second.first + 7) / 8 * 8;
      const u32 wanted = at < granule_end ? std::prev(of)->second.second : BlockPages::kNone;
      ASSERT_EQ(pages.find(at), wanted) << at;
    }
  }
}

}  // namespace
}  // namespace orrery::lens::cache
