#include <gtest/gtest.h>

#include <vector>

#include "base/prng.h"
#include "lens/heap/call_tree.h"
#include "lens/heap/heap_log.h"
#include "lens/heap/held_memory.h"
#include "lens/heap/own_allocator.h"

namespace orrery::lens::heap {
namespace {

TEST(HeapLog, GivesBackWhatWasPutIn) {
  SplitMix64 random(17);
  LogWriter writer;
  std::vector<LogReader::Entry> wanted;
  std::vector<std::pair<LogChunk, std::size_t>> chunks;
  u64 next = 0;
  LoggedPlace place{.event = 5, .task = 100, .ticks = 0};
  for (int i = 0; i < 200'000; ++i) {
    if (random.next() % 50 == 0)
      place = {place.event + random.next() % 3, static_cast<i32>(random.next() % 4), 0};
    place.ticks += random.next() % 1000;
    LogReader::Entry& entry = wanted.emplace_back();
    entry.place = place;
    entry.is_release = next != 0 && random.next() % 2 == 0;
    if (entry.is_release) {
      entry.block.number = next - 1 - random.next() % next;
      writer.release(place, entry.block.number);
    } else {
      entry.block = {next++, random.next(), random.next() >> random.next() % 64,
                     static_cast<u32>(random.next())};
      writer.allocate(place, entry.block);
    }
    if (writer.is_full()) chunks.emplace_back(writer.take(), wanted.size());
  }
  chunks.emplace_back(writer.take(), wanted.size());
  EXPECT_GT(chunks.size(), 2u);
  std::size_t at = 0;
  u64 number = 0;
  for (const auto& [chunk, end] : chunks) {
    EXPECT_EQ(chunk.entries, end - at);
    EXPECT_EQ(chunk.first_event, wanted[at].place.event);
    LogReader reader(chunk.columns);
    for (; at < end; ++at) {
      const LogReader::Entry got = reader.next(number);
      ASSERT_EQ(got.is_release, wanted[at].is_release);
      ASSERT_EQ(got.place.event, wanted[at].place.event);
      ASSERT_EQ(got.place.task, wanted[at].place.task);
      ASSERT_EQ(got.place.ticks, wanted[at].place.ticks);
      ASSERT_EQ(got.block.number, wanted[at].block.number);
      ASSERT_EQ(got.block.address, wanted[at].block.address);
      ASSERT_EQ(got.block.size_bytes, wanted[at].block.size_bytes);
      ASSERT_EQ(got.block.node, wanted[at].block.node);
    }
  }
}

TEST(HeapLog, OfDamagedBytesComesSomething) {
  SplitMix64 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<u8> bytes(random.next() % 64);
    for (u8& each : bytes) each = static_cast<u8>(random.next());
    LogReader reader(bytes);
    u64 next = 0;
    for (int i = 0; i < 20; ++i) reader.next(next);
  }
}

/// The pcs of a node's calls, innermost first.
std::vector<u64> stack_of(const CallTree& tree, CallTree::Node node) {
  std::vector<u64> stack;
  for (; node != CallTree::kRoot; node = tree.parent(node)) stack.push_back(tree.pc(node));
  return stack;
}

TEST(TaskCalls, KnowTheCallsThatHaveNotReturned) {
  CallTree tree;
  TaskCalls calls(tree);
  calls.call(1, 0x1000);
  calls.call(2, 0xf00);
  const CallTree::Node both = calls.enter(0xef8);
  EXPECT_EQ(stack_of(tree, both), (std::vector<u64>{2, 1}));
  calls.ret(0xef8);
  EXPECT_EQ(stack_of(tree, calls.enter(0xef0)), std::vector<u64>{1});
  calls.call(2, 0xf00);
  EXPECT_EQ(calls.enter(0xef8), both);
  calls.call(3, 0xe00);
  calls.call(4, 0xff0);  // behind a longjmp: 2 and 3 are over
  EXPECT_EQ(stack_of(tree, calls.enter(0xfe8)), (std::vector<u64>{4, 1}));
  calls.ret(0xff8);
  EXPECT_EQ(calls.enter(0x1008), CallTree::kRoot);
}

TEST(TaskCalls, FollowAnotherStackAndComeBack) {
  CallTree tree;
  TaskCalls calls(tree);
  constexpr u64 kOther = u64{1} << 40;
  calls.call(1, 0x7000'0000);
  calls.call(7, kOther);
  EXPECT_EQ(stack_of(tree, calls.enter(kOther - 8)), std::vector<u64>{7});
  calls.call(2, 0x6fff'ff00);
  EXPECT_EQ(stack_of(tree, calls.enter(0x6fff'fef8)), (std::vector<u64>{2, 1}));
  calls.call(8, kOther - 0x100);
  EXPECT_EQ(stack_of(tree, calls.enter(kOther - 0x108)), (std::vector<u64>{8, 7}));
}

TEST(CallTree, KeepsNodesApart) {
  CallTree tree;
  SplitMix64 random(5);
  std::vector<std::vector<u64>> stacks(1);
  for (int i = 0; i < 50'000; ++i) {
    const auto parent = static_cast<CallTree::Node>(random.next() % stacks.size());
    const u64 pc = random.next() % 64;
    const CallTree::Node node = tree.child(parent, pc);
    ASSERT_LE(node, stacks.size());
    std::vector<u64> wanted{pc};
    wanted.insert(wanted.end(), stacks[parent].begin(), stacks[parent].end());
    if (node == stacks.size()) stacks.push_back(wanted);
    ASSERT_EQ(stacks[node], wanted);
    ASSERT_EQ(stack_of(tree, node), wanted);
  }
}

// --- an allocator of the user's own ---

std::string parsed(const char* words) {
  auto own = heap::OwnAllocator::parse(words);
  return own ? own.value().text() : own.error().sentence;
}

TEST(OwnAllocator, IsWrittenAsItIsUnderstood) {
  EXPECT_EQ(parsed("pool_alloc( _,size ),pool_free(_, block)"), "pool_alloc(_, size), pool_free(_, block)");
  EXPECT_EQ(parsed("+ zalloc(count, size)"), "+zalloc(count, size)");
  EXPECT_EQ(parsed("node_new(size=64)"), "node_new(size=64)");
  EXPECT_EQ(parsed("grow(block, size)"), "grow(block, size)");
  EXPECT_EQ(parsed("store(_, to, size)"), "store(_, to, size)");
  EXPECT_EQ(parsed("Pool<int, 4>::get(_, size), Pool<int, 4>::put(_, block)"),
            "Pool<int, 4>::get(_, size), Pool<int, 4>::put(_, block)");
}

TEST(OwnAllocator, GuessesByNames) {
  EXPECT_EQ(parsed("xmalloc, xcalloc, xrealloc, xfree"),
            "xmalloc(size), xcalloc(count, size), xrealloc(block, size), xfree(block)");
  EXPECT_EQ(parsed("memalign, my_release"), "memalign(_, size), my_release(block)");
}

TEST(OwnAllocator, SaysWhatIsWrong) {
  EXPECT_NE(parsed("get(_)").find("which argument is the size?"), std::string::npos);
  EXPECT_NE(parsed("get(bytes)").find("not \"bytes\""), std::string::npos);
  EXPECT_NE(parsed("get(size, size)").find("size is there twice"), std::string::npos);
  EXPECT_NE(parsed("get(_, _, _, size)").find("only the first 3"), std::string::npos);
  EXPECT_NE(parsed("get(size=x)").find("no size in bytes"), std::string::npos);
  EXPECT_NE(parsed("(size)").find("no name"), std::string::npos);
}

// --- what allocators hold ---

class Held : public ::testing::Test {
 protected:
  heap::HeldMemory::Change call(const char* name, std::array<u64, 6> arguments, u64 result,
                                bool by_allocator = true) {
    Call made{.name = name, .arguments = arguments, .returned = true, .result = static_cast<i64>(result)};
    return held_.apply(made, {}, by_allocator);
  }
  heap::HeldMemory held_;
};

TEST_F(Held, ByBreak) {
  EXPECT_FALSE(call("brk", {0}, 0x1000).any());
  EXPECT_EQ(call("brk", {0x9000}, 0x9000).mapped, 0x8000);
  EXPECT_EQ(call("brk", {0xa000}, 0xa000, false).mapped, 0);
  EXPECT_EQ(call("brk", {0x5000}, 0x5000).mapped, -0x4000);
  EXPECT_EQ(held_.usable_bytes(), 0x4000);
}

TEST_F(Held, ReservesAndOpens) {
  constexpr u64 kBoth = 3;
  const auto reserved = call("mmap", {0, 0x100000, 0}, 0x700000);
  EXPECT_EQ(std::pair(reserved.mapped, reserved.usable), std::pair(i64{0x100000}, i64{0}));
  EXPECT_EQ(call("munmap", {0x780000, 0x80000}, 0).mapped, -0x80000);
  EXPECT_EQ(call("mprotect", {0x700000, 0x21000, kBoth}, 0).usable, 0x21000);
  EXPECT_EQ(call("madvise", {0x710000, 0x200000, 4}, 0).dropped, 0x70000u);
  EXPECT_EQ(held_.pieces().size(), 2u);
  EXPECT_EQ(call("mmap", {0x700000, 0x1000, 0}, 0x700000, false).usable, -0x1000);
}

TEST_F(Held, Moves) {
  call("mmap", {0, 0x2000, 3}, 0x700000);
  EXPECT_EQ(call("mremap", {0x700000, 0x2000, 0x5000}, 0x900000).usable, 0x3000);
  EXPECT_EQ(held_.pieces().at(0).start, 0x900000u);
  EXPECT_EQ(held_.take_gone().at(0).start, 0x700000u);
  EXPECT_FALSE(call("mmap", {0, 0x2000, 3}, 0x100000, false).any());
}

}  // namespace
}  // namespace orrery::lens::heap
