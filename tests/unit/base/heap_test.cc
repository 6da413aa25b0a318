// Heap: sizes, alignment, reuse, merging, exhaustion, and a random stress that fills every block with
// a pattern of its own and checks it when the block is freed.
#include "base/heap.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <random>
#include <vector>

namespace orrery {
namespace {

constexpr u64 kReservedBytes = u64{256} << 20;

/// A reserved range of the test's own; commits with mprotect and can be told to refuse.
class TestPages final : public HeapPages {
 public:
  explicit TestPages(u64 bytes = kReservedBytes) : bytes_(bytes + Heap::kAlignBytesMost) {
    raw_ = ::mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT_NE(raw_, MAP_FAILED);
    start_ = (reinterpret_cast<u64>(raw_) + Heap::kAlignBytesMost - 1) & ~(Heap::kAlignBytesMost - 1);
  }
  ~TestPages() { ::munmap(raw_, bytes_); }
  u64 start() const { return start_; }

  bool commit(u64 address, u64 size_bytes) override {
    EXPECT_EQ(address % kPageBytes, 0u);
    EXPECT_EQ(address, start_ + committed_) << "pieces are adjacent and rising";
    if (refuse) return false;
    committed_ += size_bytes;
    return ::mprotect(reinterpret_cast<void*>(address), size_bytes, PROT_READ | PROT_WRITE) == 0;
  }

  bool refuse = false;

 private:
  u64 bytes_;
  void* raw_ = nullptr;
  u64 start_ = 0;
  u64 committed_ = 0;
};

TEST(Heap, EverySmallSizeFitsAndIsAligned) {
  TestPages pages;
  Heap* const heap = Heap::create(pages.start(), kReservedBytes, pages);
  ASSERT_NE(heap, nullptr);
  EXPECT_EQ(reinterpret_cast<u64>(heap), pages.start());
  for (u64 bytes = 0; bytes <= 9000; ++bytes) {
    void* const block = heap->allocate(bytes);
    ASSERT_NE(block, nullptr);
    ASSERT_EQ(reinterpret_cast<u64>(block) % 16, 0u) << bytes;
    ASSERT_GE(heap->usable_bytes(block), bytes);
    if (bytes > 128 && bytes <= 8192) {
      ASSERT_LE(heap->usable_bytes(block), bytes + bytes / 4 + 1) << bytes;
    }
    heap->free(block, bytes);
  }
  EXPECT_EQ(heap->bytes_in_use(), 0u);
}

TEST(Heap, AlignmentsUpToTheLargest) {
  TestPages pages;
  Heap* const heap = Heap::create(pages.start(), kReservedBytes, pages);
  for (u64 align = 1; align <= Heap::kAlignBytesMost; align *= 2) {
    for (const u64 bytes : {u64{1}, u64{24}, u64{33}, u64{100}, u64{3000}, u64{5000}, u64{70000}}) {
      void* const first = heap->allocate(bytes, align);
      void* const second = heap->allocate(bytes, align);
      ASSERT_NE(second, nullptr);
      EXPECT_EQ(reinterpret_cast<u64>(first) % align, 0u) << bytes << " " << align;
      EXPECT_EQ(reinterpret_cast<u64>(second) % align, 0u) << bytes << " " << align;
      EXPECT_GE(heap->usable_bytes(first), bytes);
      heap->free(first);
      heap->free(second);
    }
  }
}

TEST(Heap, FreedBlocksAreUsedAgain) {
  TestPages pages;
  Heap* const heap = Heap::create(pages.start(), kReservedBytes, pages);
  void* const first = heap->allocate(40);
  heap->free(first);
  EXPECT_EQ(heap->allocate(48), first);
  const u64 committed = heap->bytes_committed();
  for (int i = 0; i < 1000; ++i) heap->free(heap->allocate(300'000));
  EXPECT_LE(heap->bytes_committed(), committed + (u64{2} << 20));
}

TEST(Heap, FreedRunsMerge) {
  TestPages pages;
  Heap* const heap = Heap::create(pages.start(), kReservedBytes, pages);
  std::vector<void*> blocks;
  while (void* const block = heap->allocate(16384)) blocks.push_back(block);
  EXPECT_GT(blocks.size(), kReservedBytes / 16384 * 9 / 10);
  EXPECT_EQ(heap->allocate(u64{64} << 20), nullptr);
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937(7));
  for (void* const block : blocks) heap->free(block);
  EXPECT_EQ(heap->bytes_in_use(), 0u);
  void* const large = heap->allocate(u64{128} << 20);
  ASSERT_NE(large, nullptr) << "pages did not merge";
  std::memset(large, 0x5a, u64{128} << 20);
  heap->free(large);
}

TEST(Heap, RefusalsGiveNull) {
  TestPages pages;
  Heap* const heap = Heap::create(pages.start(), kReservedBytes, pages);
  EXPECT_EQ(heap->allocate(kReservedBytes), nullptr);
  EXPECT_EQ(heap->allocate(~u64{0}), nullptr);
  EXPECT_EQ(heap->allocate(~u64{0} - 4096, 4096), nullptr);
  pages.refuse = true;
  EXPECT_EQ(heap->allocate(u64{4} << 20), nullptr);
  pages.refuse = false;
  EXPECT_NE(heap->allocate(u64{4} << 20), nullptr);
  TestPages refusing;
  refusing.refuse = true;
  EXPECT_EQ(Heap::create(refusing.start(), kReservedBytes, refusing), nullptr);
}

TEST(HeapDeathTest, BadFreesAreFound) {
  TestPages pages;
  Heap* const heap = Heap::create(pages.start(), kReservedBytes, pages);
  int outside = 0;
  EXPECT_DEATH(heap->free(&outside), "not of this heap");
  void* const block = heap->allocate(64);
  EXPECT_DEATH(
      {
        heap->free(block);
        heap->free(block);
      },
      "freed twice");
  void* const large = heap->allocate(1 << 20);
  EXPECT_DEATH(
      {
        heap->free(large);
        heap->free(large);
      },
      "no block");
  EXPECT_DEATH(heap->free(block, 4096), "larger than the block");
}

struct Live {
  u8* block;
  u64 bytes;
  u8 pattern;
};

TEST(Heap, RandomStressKeepsEveryByte) {
  for (const u32 seed : {1u, 2u, 3u, 4u}) {
    SCOPED_TRACE(seed);
    TestPages pages;
    Heap* const heap = Heap::create(pages.start(), kReservedBytes, pages);
    std::mt19937_64 random(seed);
    std::vector<Live> live;
    const auto release = [&](std::size_t index) {
      const Live it = live[index];
      for (u64 i = 0; i < it.bytes; ++i) ASSERT_EQ(it.block[i], it.pattern);
      if (random() % 2 == 0)
        heap->free(it.block);
      else
        heap->free(it.block, it.bytes);
      live[index] = live.back();
      live.pop_back();
    };
    for (int step = 0; step < 60'000; ++step) {
      if (!live.empty() && random() % 100 < 47) {
        release(random() % live.size());
        continue;
      }
      const u64 bytes = random() % (u64{1} << (random() % 18));
      auto* const block = static_cast<u8*>(heap->allocate(bytes, u64{1} << (random() % 9)));
      if (block == nullptr) continue;
      const auto pattern = static_cast<u8>(random());
      std::memset(block, pattern, bytes);
      live.push_back({block, bytes, pattern});
    }
    while (!live.empty()) release(live.size() - 1);
    EXPECT_EQ(heap->bytes_in_use(), 0u);
  }
}

}  // namespace
}  // namespace orrery
