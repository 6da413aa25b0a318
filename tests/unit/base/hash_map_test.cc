// HashMap against std::unordered_map, with keys that crowd.
#include "base/hash_map.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

namespace orrery {
namespace {

TEST(HashMap, RandomChangesMatchAModel) {
  for (u32 seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    HashMap<u64> map;
    std::unordered_map<u64, u64> model;
    for (u64 step = 0; step < 20'000; ++step) {
      const u64 key = random() % 700 * (seed % 2 == 0 ? 1 : u64{1} << 32);
      if (random() % 2 == 0) {
        map[key] = step;
        model[key] = step;
      } else {
        ASSERT_EQ(map.erase(key), model.erase(key) == 1);
      }
      ASSERT_EQ(map.size(), model.size());
      const u64 other = random() % 700 * (seed % 2 == 0 ? 1 : u64{1} << 32);
      const u64* const found = map.find(other);
      const auto expected = model.find(other);
      ASSERT_EQ(found != nullptr, expected != model.end());
      if (found != nullptr) {
        ASSERT_EQ(*found, expected->second);
      }
    }
    u64 seen = 0;
    map.for_each([&](u64 key, u64 value) {
      ++seen;
      EXPECT_EQ(model.at(key), value);
    });
    EXPECT_EQ(seen, model.size());
  }
}

TEST(HashMap, EmptyAndCleared) {
  HashMap<int> map;
  EXPECT_EQ(map.find(7), nullptr);
  EXPECT_FALSE(map.erase(7));
  map[7] = 1;
  EXPECT_EQ(*map.find(7), 1);
  map.clear();
  EXPECT_EQ(map.find(7), nullptr);
  EXPECT_TRUE(map.empty());
}

}  // namespace
}  // namespace orrery
