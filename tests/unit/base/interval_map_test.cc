// IntervalMap against std::map with the same operations: contents, look-ups, and the highest fitting gap.
#include "base/interval_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace orrery {
namespace {

struct Item {
  u64 start = 0, end = 0, guard = 0, label = 0;
  u64 lower_edge() const { return start - std::min(start, guard); }
};

using Map = IntervalMap<Item, 8>;
using Model = std::map<u64, Item>;

std::optional<u64> model_gap(const Model& model, u64 from, u64 to, u64 bytes, u64 align) {
  std::optional<u64> best;
  u64 below = 0;
  const auto consider = [&](u64 low, u64 high) {
    low = std::max(low, from);
    high = std::min(high, to);
    if (high <= low || high - low < bytes) return;
    const u64 place = (high - bytes) & ~(align - 1);
    if (place >= low) best = place;
  };
  for (const auto& [start, item] : model) {
    consider(below, item.lower_edge());
    below = item.end;
  }
  consider(below, ~u64{0});
  return best;
}

void compare(const Map& map, const Model& model) {
  ASSERT_EQ(map.size(), model.size());
  auto expected = model.begin();
  for (const Item& item : map) {
    ASSERT_EQ(item.start, expected->second.start);
    ASSERT_EQ(item.end, expected->second.end);
    ASSERT_EQ(item.label, expected->second.label);
    ++expected;
  }
}

const Item* model_find(const Model& model, u64 address) {
  auto above = model.upper_bound(address);
  if (above == model.begin()) return nullptr;
  --above;
  return address < above->second.end ? &above->second : nullptr;
}

void random_run(u32 seed) {
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  Map map;
  Model model;
  constexpr u64 kSpace = 4000;
  for (u64 step = 0; step < 6000; ++step) {
    const u64 address = random() % kSpace;
    const bool shrinking = step / 1000 % 2 == 1;
    if (random() % 10 < (shrinking ? 7u : 3u)) {
      const auto at = map.first_ending_above(address);
      if (map.is_end(at)) continue;
      const u64 start = map.at(at).start;
      if (random() % 3 == 0 && map.at(at).end - start > 1) {
        map.resize(at, start, map.at(at).end - 1);
        --model[start].end;
      } else {
        const auto after = map.erase(at);
        const auto expected = model.erase(model.find(start));
        ASSERT_EQ(map.is_end(after), expected == model.end());
        if (!map.is_end(after)) {
          ASSERT_EQ(map.at(after).start, expected->first);
        }
      }
    } else {
      const u64 size = 1 + random() % 12;
      const auto at = map.first_ending_above(address);
      if (!map.is_end(at) && map.at(at).start < address + size) continue;
      const Item item{address, address + size, random() % 4 == 0 ? 5u : 0u, step};
      const auto put = map.insert(item);
      ASSERT_EQ(map.at(put).label, step);
      model[address] = item;
    }
    const Item* const found = map.find(address);
    const Item* const expected = model_find(model, address);
    ASSERT_EQ(found == nullptr, expected == nullptr);
    if (found != nullptr) {
      ASSERT_EQ(found->label, expected->label);
    }
    const u64 from = random() % kSpace, to = random() % (kSpace + 100);
    const u64 bytes = random() % 40, align = u64{1} << (random() % 5);
    ASSERT_EQ(map.find_gap_below(from, to, bytes, align),
              bytes == 0 ? std::nullopt : model_gap(model, from, to, bytes, align))
        << from << " " << to << " " << bytes << " " << align;
    if (step % 50 == 0) compare(map, model);
  }
  compare(map, model);
}

TEST(IntervalMap, RandomChangesMatchAModel) {
  for (u32 seed = 1; seed <= 20; ++seed) random_run(seed);
}

TEST(IntervalMap, WalksBothWays) {
  Map map;
  for (u64 i = 0; i < 100; ++i) map.insert({(i * 37 % 100) * 10, (i * 37 % 100) * 10 + 5, 0, i});
  u64 expected = 0;
  for (const Item& item : map) {
    EXPECT_EQ(item.start, expected);
    expected += 10;
  }
  auto at = map.end_position();
  while (!map.is_first(at)) {
    at = map.previous(at);
    expected -= 10;
    EXPECT_EQ(map.at(at).start, expected);
  }
}

TEST(IntervalMap, SixtyFiveThousandItemsTopDown) {
  IntervalMap<Item> map;
  for (u64 i = 65'530; i > 0; --i) {
    const auto gap = map.find_gap_below(0, 65'531 * 2, 1, 1);
    ASSERT_TRUE(gap.has_value());
    map.insert({i * 2, i * 2 + 1, 1, i});
  }
  EXPECT_EQ(map.size(), 65'530u);
  EXPECT_EQ(map.find(40'000)->label, 20'000u);
  EXPECT_EQ(map.find(40'001), nullptr);
}

}  // namespace
}  // namespace orrery
