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

constexpr u64 kEnginePc = 0x1234;

/// Sets in order and by time, with few ways and many; all that the decoders know, little of it, and none.
constexpr CacheShapes kShapes[] = {
    {.i1 = {4096, 4, 64}, .d1 = {4096, 4, 64}, .ll = {65536, 8, 64}},
    {.i1 = {32 << 10, 8, 64},
     .d1 = {48 << 10, 12, 64},
     .l2 = {256 << 10, 8, 64},
     .itlb = {8 * kPageBytes, 8, kPageBytes},
     .dtlb = {16 * kPageBytes, 16, kPageBytes}},
    {.i1 = {2048, 1, 32},
     .d1 = {1 << 20, 16, 128},
     .itlb = {4 * kPageBytes, 1, kPageBytes},
     .dtlb = {4096 * kPageBytes, 64, kPageBytes}},
    {.i1 = {}, .d1 = {1024, 2, 16}, .itlb = {}, .dtlb = {}},
};

/// What an AccessReader shows, counted at once.
struct Reference {
  explicit Reference(const CacheShapes& shapes) : model(shapes) {
    if (shapes.i1.size_bytes != 0) code_line_bytes = shapes.i1.line_bytes;
  }

  CacheModel model;
  u64 code_line_bytes = 64;
  std::map<std::pair<u64, bool>, LevelCounts> data;
  std::map<u64, LevelCounts> fetches;
  std::map<u64, u64> executions;
  u64 past = 0, line = 0;

  void block(AccessHeader header, const AccessPoint& block) {
    finish();
    executions[block.pc] += header.instructions();
    past = block.pc + header.guest_bytes();
    fetch(block.pc);
    line = block.pc & ~(code_line_bytes - 1);
  }
  void access(const Access& access) {
    if (access.by == AccessBy::kernel) return;
    if (access.pc == kEnginePc) finish();  // the block before is done
    if (access.pc < past && access.pc >= line) up_to(access.pc + 1);
    LevelCounts& counts = data[{access.pc, access.kind == AccessKind::write}];
    ++counts.references;
    counts.add(model.data(access.address, access.size_bytes));
  }
  void finish() { up_to(past); }
  void up_to(u64 end) {
    for (; line + code_line_bytes < end; line += code_line_bytes) fetch(line + code_line_bytes);
  }
  void fetch(u64 pc) { fetches[pc].add(model.instructions(pc)); }
};

class Stream {
 public:
  Stream() {
    for (u64 block = 0; block < 300; ++block) {
      const u16 shared = block % 2 == 0 ? 1 : 4;  // accesses beside each other
      const u64 pc = 0x40'0000 + block * 400 + random_() % 40, count = random_() % 6;
      firsts_.push_back(static_cast<u32>(points.size()));
      points.push_back({.pc = pc, .points = static_cast<u16>(count)});
      for (u16 at = 0; at < count; ++at)
        points.push_back({.pc = pc + at * 37u,
                          .address = 0x7000 + random_() % 64,
                          .word = at % 3 == 2 ? translate::kNoWord : static_cast<u16>(at / shared),
                          .size_bytes = static_cast<u16>(1u << random_() % 5),
                          .kind = at % 2 == 0 ? AccessKind::read : AccessKind::write});
    }
  }
  /// Of a random block, all of it or less.
  void add(std::vector<u64>& records) {
    if (random_() % 50 == 0) {
      const AccessBy by = random_() % 2 == 0 ? AccessBy::kernel : AccessBy::instruction;
      records.insert(records.end(),
                     {AccessHeader::engine(AccessKind::write, by).word, address(), 8, kEnginePc});
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

class CacheCounterOf : public testing::TestWithParam<CacheShapes> {};
INSTANTIATE_TEST_SUITE_P(Shapes, CacheCounterOf, testing::ValuesIn(kShapes));

TEST_P(CacheCounterOf, CountsWhatTheModelIsShownOneByOne) {
  Stream stream;
  CacheCounter counter(GetParam());
  Reference reference(GetParam());
  translate::AccessReader reader;
  for (const int part_records : {100, 300'000, 20, 50'000, 400'000}) {
    std::vector<u64> records;
    for (int i = 0; i < part_records; ++i) stream.add(records);
    counter.read(records, stream.points);
    reader.read(records, stream.points, reference);
  }
  reference.finish();
  counter.settle();
  std::map<u64, u64> executions;
  for (const auto& stretch : counter.take_stretches())
    executions[stretch.pc] += static_cast<u64>(stretch.count) * stretch.instructions;
  EXPECT_EQ(executions, reference.executions);
  for (const FetchCount& fetch : counter.take_fetches()) {
    const LevelCounts& wanted = reference.fetches[fetch.pc];
    EXPECT_EQ(fetch.counts.first, wanted.first);
    EXPECT_EQ(fetch.counts.buffer, wanted.buffer);
    reference.fetches.erase(fetch.pc);
  }
  for (const auto& [pc, left] : reference.fetches) EXPECT_EQ(left.first + left.last + left.buffer, 0u);
  std::size_t compared = 0;
  for (const DataCount& data : counter.take_data()) {
    const LevelCounts& wanted = reference.data[{data.pc, data.writes}];
    EXPECT_EQ(data.counts.references, wanted.references);
    EXPECT_EQ(data.counts.first, wanted.first);
    EXPECT_EQ(data.counts.second, wanted.second);
    EXPECT_EQ(data.counts.last, wanted.last);
    EXPECT_EQ(data.counts.buffer, wanted.buffer);
    ++compared;
  }
  EXPECT_EQ(compared, reference.data.size());
}

}  // namespace
}  // namespace orrery::lens::cache
