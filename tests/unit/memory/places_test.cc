// Where --aslr puts things: always inside what the layout leaves for them.
#include <gtest/gtest.h>

#include <set>

#include "memory/layout.h"

namespace orrery::memory::layout {
namespace {

bool is_within(const Range& inner, const Range& outer) {
  return inner.start >= outer.start && inner.end <= outer.end && inner.start < inner.end;
}

TEST(Places, WithoutANumberAreTheUsualOnes) {
  const Places places = varied_places(0);
  EXPECT_EQ(places.program.start, kProgram.start);
  EXPECT_EQ(places.near.end, kNear.end);
  EXPECT_EQ(places.far.end, kFar.end);
  EXPECT_EQ(places.huge.end, kHuge.end);
  EXPECT_EQ(places.brk.start, kBrk.start);
  EXPECT_EQ(places.stack_top, kStackTop);
}

TEST(Places, MoveInsideTheirRooms) {
  std::set<u64> programs, stacks;
  for (u64 seed = 1; seed <= 2000; ++seed) {
    const Places places = varied_places(seed);
    EXPECT_TRUE(is_within(places.program, kProgram) && places.program.size_bytes() >= kGiB - 64 * kMiB);
    EXPECT_TRUE(is_within(places.near, kNear) && places.near.size_bytes() >= kGiB);
    EXPECT_TRUE(is_within(places.far, kFar) && places.far.size_bytes() >= 256 * kGiB);
    EXPECT_TRUE(is_within(places.huge, kHuge));
    EXPECT_TRUE(is_within(places.brk, kBrk) && places.brk.size_bytes() >= 31 * kGiB);
    EXPECT_TRUE(places.stack_top <= kStackTop && places.stack_top - kStackBytesMax > kNear.end);
    EXPECT_EQ(places.program.start % kPageBytes, 0U);
    EXPECT_EQ(places.stack_top % kPageBytes, 0U);
    programs.insert(places.program.start);
    stacks.insert(places.stack_top);
  }
  EXPECT_GT(programs.size(), 1900U);
  EXPECT_GT(stacks.size(), 1990U);
}

}  // namespace
}  // namespace orrery::memory::layout
