#include <gtest/gtest.h>

#include <vector>

#include "base/prng.h"
#include "lens/heap/call_tree.h"
#include "lens/heap/heap_log.h"

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

}  // namespace
}  // namespace orrery::lens::heap
