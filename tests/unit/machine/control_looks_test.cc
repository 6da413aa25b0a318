// How often a message is looked for before who waits for it sleeps.
#include <gtest/gtest.h>

#include "machine/control.h"

namespace orrery::machine {
namespace {

/// How many looks it takes of a message that is there at the n-th; 0: that is never.
int looks_until(ControlLooks& looks, int there_at) {
  int done = 0;
  looks([&]() -> i64 { return ++done == there_at ? 0 : -11; });
  return done;
}

TEST(ControlLooks, EndWithTheMessage) {
  ControlLooks looks;
  EXPECT_EQ(looks_until(looks, 1), 1);
  EXPECT_EQ(looks_until(looks, 20), 20);
}

TEST(ControlLooks, AreFewIfTheyAreInVain) {
  ControlLooks looks;
  int done = 0, first = looks_until(looks, 0);
  for (int i = 0; i < 1000; ++i) done += looks_until(looks, 0);
  EXPECT_GT(first, 1);
  EXPECT_LT(done, 100 * first);
}

TEST(ControlLooks, GoOnIfOneOfThreeIsNotInVain) {
  ControlLooks looks;
  int found = 0;
  for (int i = 0; i < 999; ++i) found += looks_until(looks, i % 3 == 0 ? 10 : 0) == 10;
  EXPECT_EQ(found, 333);
}

TEST(ControlLooks, AreTakenUpAgain) {
  ControlLooks looks;
  for (int i = 0; i < 1000; ++i) looks_until(looks, 0);
  int found = 0;
  for (int i = 0; i < 100; ++i) found += looks_until(looks, 10) == 10;
  EXPECT_GT(found, 80);
}

}  // namespace
}  // namespace orrery::machine
