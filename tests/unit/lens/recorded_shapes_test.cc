#include "lens/cache/recorded_shapes.h"

#include <gtest/gtest.h>

#include <vector>

namespace orrery::lens::cache {
namespace {

using Rows = std::vector<x86::CpuidRow>;

constexpr x86::CpuidRow kIntel = {0, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69};
constexpr x86::CpuidRow kAmd = {0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65};

/// A row of leaf 4 (SDM vol. 2, CPUID): all counts are less one.
x86::CpuidRow leaf_4(u32 subleaf, u32 type, u32 level, u32 ways, u32 sets) {
  return {4, subleaf, type | level << 5, (ways - 1) << 22 | 63, sets - 1, 0};
}

TEST(RecordedShapes, TellsIntelsCachesByLeafFour) {
  const Rows rows{kIntel, leaf_4(0, 1, 1, 12, 64), leaf_4(1, 2, 1, 8, 64), leaf_4(2, 3, 2, 20, 1024),
                  leaf_4(3, 3, 3, 12, 65536)};
  const CacheShapes shapes = shapes_of_processor(rows);
  EXPECT_EQ(words_of(shapes.d1), "48 KB, 12 ways, lines of 64 bytes");
  EXPECT_EQ(words_of(shapes.i1), "32 KB, 8 ways, lines of 64 bytes");
  EXPECT_EQ(words_of(shapes.l2), "1280 KB, 20 ways, lines of 64 bytes");
  EXPECT_EQ(words_of(shapes.ll), "49152 KB, 12 ways, lines of 64 bytes");
  EXPECT_EQ(words_of(shapes.dtlb), words_of(CacheShapes{}.dtlb));
  EXPECT_EQ(origins_of(shapes), "i1, d1, l2, ll of the recorded processor; itlb, dtlb as is usual");
}

TEST(RecordedShapes, TellsIntelsBuffersByLeafTwo) {
  const Rows rows{kIntel, {2, 0, 0x76036301, 0x00f0b5ff, 0, 0x00c10000}};
  const CacheShapes shapes = shapes_of_processor(rows);
  EXPECT_EQ(words_of(shapes.itlb), "64 pages, 8 ways");
  EXPECT_EQ(words_of(shapes.dtlb), "64 pages, 4 ways");
}

TEST(RecordedShapes, TellsAmdsByItsOwnLeaves) {
  const Rows rows{kAmd,
                  {0x80000005, 0, 0, 0xff40ff40, 0x20080140, 0x20080140},
                  {0x80000006, 0, 0, 0, 0x02006140, 0x01009140}};
  const CacheShapes shapes = shapes_of_processor(rows);
  EXPECT_EQ(words_of(shapes.d1), "32 KB, 8 ways, lines of 64 bytes");
  EXPECT_EQ(words_of(shapes.l2), "512 KB, 8 ways, lines of 64 bytes");
  EXPECT_EQ(words_of(shapes.ll), "32768 KB, 16 ways, lines of 64 bytes");
  EXPECT_EQ(words_of(shapes.dtlb), "64 pages, 64 ways");
}

TEST(RecordedShapes, MakesAPowerOfTwoOfSets) {
  const Rows rows{kIntel, leaf_4(0, 1, 1, 8, 64), leaf_4(2, 3, 2, 8, 1024), leaf_4(3, 3, 3, 11, 49152)};
  const CacheShape ll = shapes_of_processor(rows).ll;
  EXPECT_EQ(words_of(ll), "32768 KB, 16 ways, lines of 64 bytes");  // 33 MB, 11 ways
}

TEST(RecordedShapes, CallsTheSecondLevelTheLastIfThereIsNoThird) {
  const Rows rows{kIntel, leaf_4(0, 1, 1, 8, 64), leaf_4(2, 3, 2, 16, 2048)};
  const CacheShapes shapes = shapes_of_processor(rows);
  EXPECT_EQ(words_of(shapes.ll), "2048 KB, 16 ways, lines of 64 bytes");
  EXPECT_EQ(words_of(shapes.l2), "none");
}

TEST(RecordedShapes, AreAsUsualWithoutATable) {
  EXPECT_EQ(origins_of(shapes_of_processor({})), "i1, d1, ll, itlb, dtlb as is usual");
}

}  // namespace
}  // namespace orrery::lens::cache
