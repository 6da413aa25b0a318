// Batches that are decoded side by side and filtered, against the model shown every single access.
#include "lens/cache/cache_counter.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace orrery::lens::cache {
namespace {

using translate::Access;
using translate::AccessBy;
using translate::AccessHeader;
using translate::AccessKind;
using translate::AccessPoint;

constexpr CacheShapes kShapes{.i1 = {4096, 4, 64}, .d1 = {4096, 4, 64}, .ll = {65536, 8, 64}};

/// What an AccessReader shows, counted at once.
struct Reference {
  CacheModel model{kShapes};
  std::map<std::pair<u64, bool>, LevelCounts> data;
  std::map<u64, u64> fetch_misses, executions;
  u64 past = 0, line = 0;

  void block(AccessHeader header, const AccessPoint& block) {
    finish();
    executions[block.pc] += header.instructions();
    past = block.pc + header.guest_bytes();
    fetch(block.pc);
    line = block.pc & ~u64{63};
  }
  void access(const Access& access) {
    if (access.by == AccessBy::kernel) return;
    if (access.pc < past && access.pc >= line) up_to(access.pc + 1);
    LevelCounts& counts = data[{access.pc, access.kind == AccessKind::write}];
    ++counts.references;
    counts.add(model.data(access.address, access.size_bytes));
  }
  void finish() { up_to(past); }
  void up_to(u64 end) {
    for (; line + 64 < end; line += 64) fetch(line + 64);
  }
  void fetch(u64 pc) { fetch_misses[pc] += (model.instructions(pc) & kMissesFirst) != 0; }
};

class Stream {
 public:
  Stream() {
    for (u64 block = 0; block < 300; ++block) {
      const u64 pc = 0x40'0000 + block * 400 + random_() % 40, count = random_() % 6;
      firsts_.push_back(static_cast<u32>(points.size()));
      points.push_back({.pc = pc, .points = static_cast<u16>(count)});
      for (u16 at = 0; at < count; ++at)
        points.push_back({.pc = pc + at * 37u,
                          .address = 0x7000 + random_() % 64,
                          .word = at % 3 == 2 ? translate::kNoWord : at,
                          .size_bytes = static_cast<u16>(1u << random_() % 5),
                          .kind = at % 2 == 0 ? AccessKind::read : AccessKind::write});
    }
  }
  /// Of a random block, all of it or less.
  void add(std::vector<u64>& records) {
    if (random_() % 50 == 0) {
      const AccessBy by = random_() % 2 == 0 ? AccessBy::kernel : AccessBy::instruction;
      records.insert(records.end(), {AccessHeader::engine(AccessKind::write, by).word, address(), 8, 0x1234});
      return;
    }
    const u32 first = firsts_[random_() % firsts_.size()];
    const u32 words = points[first].points, bytes = random_() % 4 == 0 ? 30 : 260;
    records.push_back(AccessHeader::block(first, bytes, words, 3, false).word);
    for (u32 word = 0; word < words; ++word) records.push_back(address());
  }
  std::vector<AccessPoint> points;

 private:
  u64 address() { return random_() % 3 == 0 ? random_() % 200'000 : random_() % 256; }

  std::mt19937_64 random_{7};
  std::vector<u32> firsts_;
};

TEST(CacheCounter, CountsWhatTheModelIsShownOneByOne) {
  Stream stream;
  CacheCounter counter(kShapes);
  Reference reference;
  translate::AccessReader reader;
  for (const int part_records : {100, 300'000, 20, 50'000, 400'000}) {
    std::vector<u64> records;
    for (int i = 0; i < part_records; ++i) stream.add(records);
    counter.read(records, stream.points);
    reader.read(records, stream.points, reference);
  }
  reference.finish();
  counter.settle();
  std::map<u64, u64> executions, fetch_misses;
  for (const auto& stretch : counter.take_stretches())
    executions[stretch.pc] += static_cast<u64>(stretch.count) * stretch.instructions;
  EXPECT_EQ(executions, reference.executions);
  for (const FetchCount& fetch : counter.take_fetches())
    if (fetch.counts.first != 0) fetch_misses[fetch.pc] = fetch.counts.first;
  std::erase_if(reference.fetch_misses, [](const auto& each) { return each.second == 0; });
  EXPECT_EQ(fetch_misses, reference.fetch_misses);
  std::size_t compared = 0;
  for (const DataCount& data : counter.take_data()) {
    const LevelCounts& wanted = reference.data[{data.pc, data.writes}];
    EXPECT_EQ(data.counts.references, wanted.references);
    EXPECT_EQ(data.counts.first, wanted.first);
    EXPECT_EQ(data.counts.last, wanted.last);
    EXPECT_EQ(data.counts.buffer, wanted.buffer);
    ++compared;
  }
  EXPECT_EQ(compared, reference.data.size());
}

}  // namespace
}  // namespace orrery::lens::cache
