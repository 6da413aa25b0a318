// The cache model against lists that are searched from end to end.
#include "lens/cache/cache_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <random>

namespace orrery::lens::cache {
namespace {

/// Each set a list, the last used first.
class SlowCache {
 public:
  explicit SlowCache(const CacheShape& shape)
      : shape_(shape), sets_(shape.size_bytes / shape.line_bytes / shape.ways) {}
  bool misses(u64 address) {
    const u64 line = address / shape_.line_bytes;
    std::list<u64>& set = sets_[line % sets_.size()];
    const auto found = std::find(set.begin(), set.end(), line);
    const bool missing = found == set.end();
    if (!missing) set.erase(found);
    set.push_front(line);
    if (set.size() > shape_.ways) set.pop_back();
    return missing;
  }

 private:
  CacheShape shape_;
  std::vector<std::list<u64>> sets_;
};

TEST(CacheModel, IsWhatListsSay) {
  const CacheShape shapes[] = {{4096, 1, 64}, {4096, 64, 64}, {32768, 8, 64}, {49152, 12, 64}, {8192, 2, 32}};
  for (const CacheShape& shape : shapes) {
    CacheModel model({.i1 = shape, .d1 = shape, .l2 = {65536, 4, 64}, .ll = {131072, 16, 128}, .dtlb = {}});
    SlowCache first(shape), second({65536, 4, 64}), last({131072, 16, 128});
    std::mt19937_64 random(1);
    for (int i = 0; i < 200'000; ++i) {
      const u64 address = 0x1000 + random() % (i % 3 == 0 ? 300'000 : 20'000);
      const Misses misses = model.data(address, 1);
      const bool one = first.misses(address), two = one && second.misses(address),
                 three = two && last.misses(address);
      ASSERT_EQ(misses, (one ? kMissesFirst : 0) | (two ? kMissesSecond : 0) | (three ? kMissesLast : 0))
          << i;
    }
  }
}

TEST(CacheModel, CountsAnAccessToTwoLinesOnce) {
  CacheModel model(CacheShapes{});
  EXPECT_EQ(model.data(0x103c, 8), kMissesFirst | kMissesLast | kMissesBuffer);
  EXPECT_EQ(model.data(0x1000, 1), 0u);
  EXPECT_EQ(model.data(0x1040, 1), 0u);
  EXPECT_EQ(model.data(0x1ffc, 8), kMissesFirst | kMissesLast | kMissesBuffer);
  EXPECT_EQ(model.data(0x2000, 1), 0u);
}

TEST(CacheModel, TakesShapesThatCanBe) {
  EXPECT_EQ(parse_cache_shape("32768,8,64").value().ways, 8u);
  EXPECT_EQ(parse_cache_shape("49152,12,64").value().size_bytes, 49152u);
  EXPECT_EQ(parse_cache_shape("none").value().size_bytes, 0u);
  EXPECT_EQ(parse_buffer_shape("64,4").value().size_bytes, 64 * kPageBytes);
  for (const char* wrong : {"", "1", "1,2", "1000,3,64", "32768,0,64", "32768,8,48", "32768,8,64,", "-1,8,64",
                            "99999999999999999999,8,64", "32768,8,64x", "18446744073709551615,8,64"})
    EXPECT_FALSE(parse_cache_shape(wrong)) << wrong;
  for (const char* wrong : {"", "64", "64,0", "60,4,4", "48,4"})
    EXPECT_FALSE(parse_buffer_shape(wrong)) << wrong;
}

}  // namespace
}  // namespace orrery::lens::cache
