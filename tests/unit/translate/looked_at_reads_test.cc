#include "translate/looked_at_reads.h"

#include <gtest/gtest.h>

namespace orrery::translate {
namespace {

constexpr u64 kPlace = 0x40'1000;

TEST(LookedAtReads, AnInstructionIsLookedAtWhileItOftenReadsWhatIsUndefined) {
  LookedAtReads reads;
  int found = 1;
  while (!reads.note(kPlace, true)) ASSERT_LT(++found, 100);
  EXPECT_GT(found, 1) << "at the first fault already";
  EXPECT_TRUE(reads.places().contains(kPlace));
  int looks = 1;
  while (!reads.note(kPlace, false)) ASSERT_LT(++looks, 10'000);
  EXPECT_GT(looks, found) << "a fault costs more than a look";
  EXPECT_FALSE(reads.places().contains(kPlace));
  for (int again = 0; again < 100; ++again) EXPECT_FALSE(reads.note(kPlace, true)) << "it is given up";
}

TEST(LookedAtReads, OthersAreLeftAlone) {
  LookedAtReads reads;
  for (int found = 0; found < 100; ++found) reads.note(kPlace, true);
  EXPECT_EQ(reads.places().addresses(), std::vector<u64>{kPlace});
}

}  // namespace
}  // namespace orrery::translate
