// What is found behind the filter of repeated accesses, in a thread of its own, against what is found
// without: in made-up streams, most of whose accesses are repeated, with locks, allocators, functions for
// strings, atomic instructions, and loads and stores that only turn out to be atomic.
#include "lens/races/race_reader.h"

#include <gtest/gtest.h>

#include <random>
#include <tuple>

namespace orrery::lens::races {
namespace {

using cpu::Gpr;
using translate::AccessHeader;
using translate::AccessKind;
using translate::AccessPoint;

constexpr u64 kProgram = 0x100'0000, kLibrary = 0x200'0000, kLoader = 0x300'0000, kStub = 0x400'0000;
constexpr u64 kBlockBytes = 0x100, kMemory = 0x10'0000, kStacks = 0x7f00'0000'0000;

class MadeUpCode final : public CodeFacts {
 public:
  Kind kind_of(u64 pc) override {
    return pc < kLibrary  ? Kind::program
           : pc < kLoader ? Kind::library
           : pc < kStub   ? Kind::loader
                          : Kind::string_stub;
  }
  bool is_locked(u64 pc) override { return pc / 4 % 5 == 0; }
  bool is_atomic(u64 pc) override { return pc / 4 % 3 == 0; }
};

class MadeUpRun {
 public:
  explicit MadeUpRun(u64 seed) : random_(seed) {
    for (int number = 0; number < 40; ++number) make_block(kProgram, End::none);
    for (int number = 0; number < 8; ++number) make_block(kProgram, End::call);
    for (int number = 0; number < 8; ++number) make_block(kProgram, End::ret);
    for (int number = 0; number < 4; ++number) make_block(kStub, End::none);
    for (int number = 0; number < 12; ++number) make_block(number % 4 == 0 ? kLoader : kLibrary, End::none);
    for (int number = 0; number < 4; ++number) make_block(kLibrary, End::call);
    for (int number = 0; number < 6; ++number) make_block(kLibrary, End::ret);
    for (int number = 0; number < 5; ++number) make_block(kLibrary, End::none, true);
  }

  template <class Finder>
  void watch(Finder& finder) const {
    static constexpr ThreadFunction kLock{"lock", ThreadFunctionKind::lock},
        kUnlock{"unlock", ThreadFunctionKind::unlock}, kOnce{"once", ThreadFunctionKind::once};
    static constexpr heap::AllocatorFunction kGive{
        .name = "malloc", .kind = heap::FunctionKind::allocate, .size = 1},
        kTake{.name = "free", .kind = heap::FunctionKind::release, .pointer = 0};
    finder.watch(std::map<u64, const ThreadFunction*>{
        {pc_of(entries_[0]), &kLock}, {pc_of(entries_[1]), &kUnlock}, {pc_of(entries_[2]), &kOnce}});
    heap::FileFunctions allocators;
    allocators.by_address = {{pc_of(entries_[3]), &kGive}, {pc_of(entries_[4]), &kTake}};
    finder.watch(allocators);
  }

  std::vector<u64> batch(int records) {
    records_.clear();
    turn();
    for (int number = 0; number < records; ++number) step();
    return std::move(records_);
  }
  const std::vector<AccessPoint>& points() const { return points_; }
  u64 below(u64 limit) { return random_() % limit; }

 private:
  enum class End { none, call, ret };
  struct Block {
    u32 point = 0, bytes = 0, words = 0;
    bool by_stack = false;
  };
  struct Task {
    u64 rsp = 0, ticks = 0;
  };

  u64 pc_of(const Block& block) const { return points_[block.point].pc; }

  void make_block(u64 base, End end, bool entered = false) {
    Block block{.point = static_cast<u32>(points_.size()), .by_stack = end != End::none || entered};
    const u64 pc = base + kBlockBytes * points_.size();
    points_.push_back({.pc = pc});
    u16 words = block.by_stack ? 1 : 0;  // the first is the stack pointer
    if (entered)
      for (const Gpr reg : translate::kEnteredValues)
        points_.push_back({.pc = pc, .word = reg == Gpr::rsp ? u16{0} : words++, .end_reg = reg});
    u64 at = pc;
    for (u64 rows = below(6); rows != 0; --rows, at += 4) {
      constexpr u16 kSizes[] = {1, 2, 4, 8, 16, 64};
      constexpr AccessKind kKinds[] = {AccessKind::read, AccessKind::read, AccessKind::write,
                                       AccessKind::modify};
      AccessPoint point{.pc = at, .size_bytes = kSizes[below(6)], .kind = kKinds[below(4)]};
      if (below(8) == 0) {
        point.address = kMemory + below(64);
      } else {
        point.address = below(3) * 8;
        point.word = words > 1 && below(2) == 0 ? static_cast<u16>(words - 1) : words++;
        if (below(10) == 0) point.base_word = words++;
      }
      points_.push_back(point);
    }
    if (end == End::call)
      points_.push_back({.pc = at,
                         .address = ~u64{7},
                         .word = 0,
                         .size_bytes = 8,
                         .kind = AccessKind::write,
                         .call = true});
    if (end == End::ret) {
      points_.push_back({.pc = at, .word = 0, .size_bytes = 8, .kind = AccessKind::read});
      points_.push_back({.pc = at, .word = words++, .end_reg = Gpr::rax});
    }
    points_[block.point].points = static_cast<u16>(points_.size() - 1 - block.point);
    block.bytes = static_cast<u32>(at + 4 - pc);
    block.words = words;
    (entered ? entries_ : blocks_[{base, end}]).push_back(block);
  }

  const Block& any(u64 base, End end) {
    const std::vector<Block>& blocks = blocks_[{base, end}];
    return blocks[below(blocks.size())];
  }

  void turn() {
    task_ = 1 + below(3);
    records_.insert(records_.end(),
                    {AccessHeader::turn(static_cast<i32>(task_)).word, ++event_, task().ticks});
  }
  Task& task() {
    Task& own = tasks_[task_];
    if (own.rsp == 0) own.rsp = kStacks + task_ * 0x10000;
    return own;
  }

  void run(const Block& block, bool all = true) {
    const u32 bytes = all ? block.bytes : 4 * static_cast<u32>(below(block.bytes / 4) + 1);
    const bool tick = below(3) == 0;
    records_.push_back(AccessHeader::block(block.point, bytes, block.words, 1, tick).word);
    for (u32 word = 0; word < block.words; ++word) {
      const bool is_far = below(20) == 0;
      records_.push_back(word == 0 && block.by_stack
                             ? task().rsp
                             : kMemory + (is_far ? below(4096) : block.point % 7 * 8 + below(2) * 4));
    }
    task().ticks += tick ? 1 : 0;
  }
  void call(const Block& block) {
    run(block);
    task().rsp -= 8;
  }
  void ret(const Block& block) {
    run(block);
    task().rsp += 8;
  }

  void step() {
    const u64 what = below(200);
    if (what < 140) return run(any(kProgram, End::none), below(8) != 0);
    if (what == 140) return turn();
    if (what < 160) {  // of the program
      call(any(kProgram, End::call));
      for (u64 count = below(3); count != 0; --count) run(any(kProgram, End::none));
      return ret(any(kProgram, End::ret));
    }
    if (what < 185) {  // of the library, of which some are for strings
      call(any(kProgram, End::call));
      if (below(2) == 0) run(any(kStub, End::none));
      if (below(8) == 0) run(any(kLoader, End::none));
      for (u64 count = below(4); count != 0; --count) run(any(kLibrary, End::none), below(8) != 0);
      if (below(4) == 0) {
        call(any(kLibrary, End::call));
        if (below(2) == 0) turn_and_back();
        ret(any(kLibrary, End::ret));
      }
      if (below(10) == 0) by_engine();
      return ret(any(kLibrary, End::ret));
    }
    if (what < 189) {
      call(any(kProgram, End::call));
      run(entries_[below(entries_.size())]);
      if (below(2) == 0) run(any(kLibrary, End::none));
      if (below(4) == 0) run(any(kProgram, End::none));
      if (below(4) == 0) turn_and_back();
      if (below(16) == 0) {
        task().rsp += 8;  // longjmp
        return;
      }
      return ret(any(kLibrary, End::ret));
    }
    if (what < 195) return by_engine();
    const bool tick = task().ticks != 0 && below(2) == 0;
    records_.push_back(AccessHeader::take_back(tick).word);
    task().ticks -= tick ? 1 : 0;
  }
  void turn_and_back() {
    const u64 own = task_;
    turn();
    for (u64 count = below(10); count != 0; --count) run(any(kProgram, End::none));
    task_ = own;
    records_.insert(records_.end(),
                    {AccessHeader::turn(static_cast<i32>(task_)).word, ++event_, task().ticks});
  }
  void by_engine() {
    constexpr AccessKind kKinds[] = {AccessKind::read, AccessKind::write};
    constexpr translate::AccessBy kBy[] = {translate::AccessBy::instruction, translate::AccessBy::kernel};
    records_.insert(records_.end(), {AccessHeader::engine(kKinds[below(2)], kBy[below(2)]).word,
                                     kMemory + below(64), 1 + below(40), kProgram + below(1000)});
  }

  std::mt19937_64 random_;
  std::vector<AccessPoint> points_;
  std::map<std::pair<u64, End>, std::vector<Block>> blocks_;
  std::vector<Block> entries_;
  std::vector<u64> records_;
  std::map<u64, Task> tasks_;
  u64 task_ = 1, event_ = 0;
};

auto key_of(const RaceAccess& access) {
  const Place& place = access.place;
  return std::tuple(place.event, place.task, place.ticks, place.pc, access.flags, access.size_bytes,
                    access.locks);
}

void expect_same(const RaceFinder& expected, const RaceFinder& found) {
  ASSERT_EQ(expected.races().size(), found.races().size());
  for (std::size_t number = 0; number < found.races().size(); ++number) {
    const Race &one = expected.races()[number], &other = found.races()[number];
    EXPECT_EQ(key_of(one.first), key_of(other.first)) << number;
    EXPECT_EQ(key_of(one.second), key_of(other.second)) << number;
    EXPECT_EQ(std::tuple(one.address, one.times, one.object.freed, one.object.block.has_value()),
              std::tuple(other.address, other.times, other.object.freed, other.object.block.has_value()))
        << number;
  }
  EXPECT_EQ(expected.locks().misuses().size(), found.locks().misuses().size());
}

TEST(RaceReader, FindsWhatIsFoundWithoutAFilter) {
  std::size_t races = 0;
  for (u64 seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    MadeUpRun run(seed);
    MadeUpCode code;
    RaceFinder expected(code);
    MadeUpCode others;
    RaceReader reader(others);
    run.watch(expected);
    run.watch(reader.settled());
    expected.learn(run.points());
    for (int number = 0; number < 12; ++number) {
      const std::vector<u64> records = run.batch(number % 3 == 0 ? 30 : 3000);
      expected.read(records);
      reader.read(records, run.points());
      if (run.below(3) != 0) continue;
      const u64 address = kMemory + run.below(4000), bytes = run.below(100);
      expected.mapped(address, bytes);
      reader.settled().mapped(address, bytes);
    }
    expect_same(expected, reader.settled());
    races += expected.races().size();
  }
  EXPECT_GT(races, 1000U);
}

}  // namespace
}  // namespace orrery::lens::races
