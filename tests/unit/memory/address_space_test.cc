// The address space by itself: placement, the engine's ranges, brk, growing stacks, watching code, strings.
// What it shares with the real kernel is held in property_test.cc.
#include "memory/address_space.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "memory/reserved.h"
#include "test_backend.h"

namespace orrery::memory {
namespace {

using layout::kGiB;
using layout::kMiB;

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr u64 kAt = 0x1438'0000'0000;  ///< an address in kFar

/// Answers yes and maps nothing: for sizes that no test host has.
class PaperBackend final : public Backend {
 public:
  i64 map(const MapRequest& request) override {
    EXPECT_FALSE(overlaps_reserved(request.address, request.address + request.size_bytes));
    return 0;
  }
  i64 unmap(u64 address, u64 size_bytes) override {
    EXPECT_FALSE(overlaps_reserved(address, address + size_bytes));
    return 0;
  }
  i64 protect(u64, u64, int) override { return 0; }
  i64 move(u64, u64, u64, u64) override { return 0; }
  i64 discard(u64, u64) override { return 0; }
};

class Space : public testing::Test {
 protected:
  ~Space() override { space_.clear(); }
  i64 map(u64 address, u64 bytes, int protection = kReadWrite, int flags = kAnonymous | MAP_FIXED) {
    return space_.mmap({.address = address, .size_bytes = bytes, .protection = protection, .flags = flags});
  }
  i64 place(u64 bytes, int protection = kReadWrite, int flags = kAnonymous) {
    return map(0, bytes, protection, flags);
  }
  u64 announced() {
    u64 bytes = 0;
    for (const CodeChange& change : space_.code().take()) bytes += change.end - change.start;
    return bytes;
  }

  TestBackend backend_;
  AddressSpace space_{backend_};
};

class PaperSpace : public testing::Test {
 protected:
  i64 map(u64 address, u64 bytes, int protection, int flags = kAnonymous | MAP_FIXED) {
    return space_.mmap({.address = address, .size_bytes = bytes, .protection = protection, .flags = flags});
  }
  PaperBackend backend_;
  AddressSpace space_{backend_};
};

bool lies_in(const layout::Range& range, i64 address, u64 bytes) {
  return static_cast<u64>(address) >= range.start && static_cast<u64>(address) + bytes <= range.end;
}

TEST_F(PaperSpace, PlacesByWhatTheMappingIsFor) {
  EXPECT_TRUE(lies_in(layout::kFar, map(0, kMiB, kReadWrite, kAnonymous), kMiB));
  EXPECT_TRUE(lies_in(layout::kNear, map(0, kMiB, PROT_READ | PROT_EXEC, kAnonymous), kMiB));
  EXPECT_TRUE(lies_in(layout::kHuge, map(0, 1024 * kGiB, PROT_NONE, kAnonymous), 1024 * kGiB));
  EXPECT_TRUE(lies_in(layout::kLowWindow, map(0, kMiB, kReadWrite, kAnonymous | MAP_32BIT), kMiB));
  const i64 image =
      space_.mmap({.size_bytes = kMiB, .protection = PROT_READ, .flags = kAnonymous, .is_image = true});
  EXPECT_TRUE(lies_in(layout::kNear, image, kMiB));
  const i64 library = space_.mmap(
      {.size_bytes = kMiB, .protection = PROT_READ, .flags = MAP_PRIVATE | MAP_DENYWRITE, .fd = 3});
  EXPECT_TRUE(lies_in(layout::kNear, library, kMiB));
  // More code than kNear holds goes where code may lie as well.
  EXPECT_TRUE(lies_in(layout::kFar, map(0, 8 * kGiB, PROT_READ | PROT_EXEC, kAnonymous), 8 * kGiB));
  EXPECT_EQ(map(0, u64{100} << 40, PROT_NONE, kAnonymous), -ENOMEM);
}

TEST_F(PaperSpace, PlacementDependsOnlyOnTheMap) {
  std::vector<i64> first, second;
  for (std::vector<i64>* places : {&first, &second}) {
    AddressSpace space(backend_);
    for (u64 i = 1; i < 200; ++i)
      places->push_back(space.mmap({.size_bytes = i * 1234, .protection = PROT_READ, .flags = kAnonymous}));
    for (u64 i = 0; i < places->size(); i += 3) space.munmap(static_cast<u64>((*places)[i]), 5000);
    for (u64 i = 1; i < 50; ++i)
      places->push_back(space.mmap({.size_bytes = i * 4321, .protection = kReadWrite, .flags = kAnonymous}));
  }
  EXPECT_EQ(first, second);
}

TEST_F(PaperSpace, HintsAreTakenInsideTheWindowsOnly) {
  const i64 at = static_cast<i64>(kAt);
  EXPECT_EQ(map(kAt + 5, kPageBytes, PROT_READ, kAnonymous), at);
  EXPECT_NE(map(kAt, kPageBytes, PROT_READ, kAnonymous), at);
  EXPECT_TRUE(lies_in(layout::kFar, map(0xc0'0000'0000, kPageBytes, PROT_READ, kAnonymous), kPageBytes));
  EXPECT_TRUE(
      lies_in(layout::kFar, map(layout::kCodeCache.start, kPageBytes, PROT_READ, kAnonymous), kPageBytes));
  EXPECT_EQ(map(0x40'0000, kPageBytes, PROT_READ, kAnonymous), 0x40'0000);
}

TEST_F(PaperSpace, TheEnginesRangesCanBeHadOnPaperOnly) {
  const u64 start = layout::kEngineLow.start - 16 * kPageBytes;
  const u64 bytes = layout::kEngineLow.size_bytes() + 32 * kPageBytes;
  EXPECT_EQ(map(start, bytes, kReadWrite), -ENOMEM);
  const auto refusal = space_.take_refusal();
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->start, start);
  EXPECT_FALSE(space_.take_refusal().has_value());
  EXPECT_EQ(map(start, bytes, kReadWrite, kAnonymous | MAP_FIXED_NOREPLACE), -EEXIST);

  EXPECT_EQ(map(start, 4 * bytes, PROT_NONE), static_cast<i64>(start));
  EXPECT_TRUE(space_.find(layout::kEngineImage.start)->on_paper);
  EXPECT_FALSE(space_.accessible(layout::kEngineImage.start, 1, Access::read));
  EXPECT_EQ(space_.mprotect(start, 16 * kPageBytes, PROT_READ), 0);
  EXPECT_EQ(space_.mprotect(start, bytes, PROT_READ), -ENOMEM);
  EXPECT_TRUE(space_.take_refusal().has_value());
  EXPECT_EQ(space_.madvise(start, bytes, MADV_DONTNEED), 0);
  EXPECT_EQ(map(layout::kEngineImage.start, kPageBytes, PROT_READ), -ENOMEM);
  EXPECT_EQ(space_.munmap(start, 4 * bytes), 0);
  EXPECT_TRUE(space_.regions().empty());
  EXPECT_EQ(space_.usage().mapped_bytes, 0u);
}

TEST_F(PaperSpace, SixtyThousandRegionsStayFast) {
  constexpr u64 kCount = 60'000;
  for (u64 i = 0; i < kCount; ++i)
    ASSERT_GT(map(0, kPageBytes, i % 2 == 0 ? PROT_READ : kReadWrite, kAnonymous), 0);
  EXPECT_EQ(space_.regions().size(), kCount);
  u64 lowest = space_.regions().begin()->start;
  for (u64 i = 0; i < kCount; ++i) ASSERT_NE(space_.find(lowest + i * kPageBytes), nullptr);
  EXPECT_EQ(space_.mprotect(lowest, kCount * kPageBytes, PROT_READ), 0);
  EXPECT_EQ(space_.regions().size(), 1u);
  // The kernel's limit on regions.
  for (u64 i = 0; i < kCount; i += 2)
    ASSERT_EQ(space_.mprotect(lowest + i * kPageBytes, kPageBytes, PROT_NONE), 0);
  i64 result = 0;
  for (u64 i = 0; i < 20'000 && result >= 0; ++i) result = map(0, kPageBytes, i % 2 == 0 ? 1 : 3, kAnonymous);
  EXPECT_EQ(result, -ENOMEM);
}

TEST_F(PaperSpace, LimitsBind) {
  space_.set_limits({.address_space_bytes = 64 * kMiB, .data_bytes = 16 * kMiB, .locked_bytes = kMiB});
  EXPECT_EQ(map(0, 17 * kMiB, kReadWrite, kAnonymous), -ENOMEM);
  const i64 at = map(0, 32 * kMiB, PROT_READ, kAnonymous);
  EXPECT_GT(at, 0);
  EXPECT_EQ(space_.mprotect(static_cast<u64>(at), 17 * kMiB, kReadWrite), -ENOMEM);
  EXPECT_EQ(space_.mprotect(static_cast<u64>(at), 16 * kMiB, kReadWrite), 0);
  EXPECT_EQ(map(0, 33 * kMiB, PROT_READ, kAnonymous), -ENOMEM);
  EXPECT_EQ(space_.mremap(static_cast<u64>(at), 32 * kMiB, 65 * kMiB, MREMAP_MAYMOVE, 0), -EFAULT);
  EXPECT_EQ(space_.lock(static_cast<u64>(at), 2 * kMiB, kLocked), -ENOMEM);
  EXPECT_EQ(map(0, 2 * kMiB, PROT_READ, kAnonymous | MAP_LOCKED), -EAGAIN);
}

TEST_F(Space, BrkGrowsAndShrinks) {
  space_.set_brk(layout::kBrkStart + 100);
  const auto at = [](u64 offset) { return static_cast<i64>(layout::kBrkStart + offset); };
  EXPECT_EQ(space_.brk(0), at(100));
  EXPECT_EQ(space_.brk(layout::kBrkStart + 200'000), at(200'000));
  EXPECT_EQ(space_.find(layout::kBrkStart + kPageBytes)->kind, RegionKind::heap);
  EXPECT_EQ(space_.brk(layout::kBrkStart + 99), at(200'000));
  EXPECT_EQ(space_.brk(layout::kBrk.end + 1), at(200'000));
  EXPECT_EQ(space_.brk(layout::kBrkStart + 5'000), at(5'000));
  EXPECT_EQ(space_.find(layout::kBrkStart + 3 * kPageBytes), nullptr);
  EXPECT_EQ(map(layout::kBrkStart + 16 * kPageBytes, kPageBytes), at(16 * kPageBytes));
  EXPECT_EQ(space_.brk(layout::kBrkStart + 16 * kPageBytes), at(5'000));
  EXPECT_EQ(space_.brk(layout::kBrkStart + 15 * kPageBytes), at(15 * kPageBytes));
}

TEST_F(Space, StacksGrowForFaultsAndForSystemCalls) {
  const u64 top = layout::kStackTop - 64 * kMiB;
  ASSERT_GT(map(top - 4 * kPageBytes, 4 * kPageBytes, kReadWrite, kAnonymous | MAP_FIXED | MAP_GROWSDOWN), 0);
  const u64 limit = kMiB;
  space_.set_limits({.stack_bytes = limit});
  EXPECT_TRUE(space_.handle_stack_growth(top - 10 * kPageBytes + 5, limit));
  EXPECT_EQ(space_.find(top - 1)->start, top - 10 * kPageBytes);
  EXPECT_FALSE(space_.handle_stack_growth(top - limit - 1, limit));
  EXPECT_FALSE(space_.handle_stack_growth(top + 1, limit));
  const u64 value = 42;
  EXPECT_TRUE(space_.write_value(top - 20 * kPageBytes, value));
  EXPECT_EQ(*reinterpret_cast<u64*>(top - 20 * kPageBytes), 42u);
  EXPECT_FALSE(std::as_const(space_).accessible(top - 30 * kPageBytes, 1, Access::read));
  // Something else nearby stops it at a megabyte's distance.
  ASSERT_GT(map(top - 40 * kPageBytes, kPageBytes), 0);
  EXPECT_FALSE(space_.handle_stack_growth(top - 30 * kPageBytes, limit));
}

TEST_F(Space, AccessStopsAtTheFirstPageThatForbidsIt) {
  ASSERT_GT(map(kAt, 4 * kPageBytes, PROT_READ), 0);
  ASSERT_EQ(space_.mprotect(kAt + 2 * kPageBytes, kPageBytes, kReadWrite), 0);
  ASSERT_EQ(space_.mprotect(kAt + 3 * kPageBytes, kPageBytes, PROT_EXEC), 0);
  EXPECT_EQ(space_.accessible_bytes(kAt + 10, 10 * kPageBytes, Access::read), 4 * kPageBytes - 10);
  EXPECT_EQ(space_.accessible_bytes(kAt, 1, Access::write), 0u);
  EXPECT_EQ(space_.accessible_bytes(kAt + 2 * kPageBytes, 9999, Access::write), kPageBytes);
  EXPECT_EQ(space_.accessible_bytes(kAt + 3 * kPageBytes + 4000, 200, Access::execute), 96u);
  EXPECT_EQ(space_.accessible_bytes(~u64{0} - 3, 100, Access::read), 0u);
  u64 value = 0;
  EXPECT_FALSE(space_.write_value(kAt, value));
  EXPECT_TRUE(space_.read_value(kAt, value));
  EXPECT_FALSE(space_.read_value(kAt + 4 * kPageBytes - 4, value));
}

TEST_F(Space, Strings) {
  ASSERT_GT(map(kAt, 2 * kPageBytes), 0);
  char* const at = reinterpret_cast<char*>(kAt);
  std::vector<char> text;
  std::memset(at, 'a', kPageBytes);
  EXPECT_EQ(space_.read_string(kAt + 10, 10'000, text), static_cast<i64>(kPageBytes - 10));
  EXPECT_EQ(text.size(), kPageBytes - 10);
  EXPECT_EQ(space_.read_string(kAt + 10, 100, text), -ENAMETOOLONG);
  EXPECT_EQ(space_.read_string(kAt + kPageBytes, 100, text), 0);
  std::memset(at + kPageBytes, 'b', kPageBytes);
  EXPECT_EQ(space_.read_string(kAt + 10, 10'000, text), -EFAULT);
  EXPECT_EQ(space_.read_string(16, 10, text), -EFAULT);
}

TEST_F(Space, WatchedPagesAreProtectedUntilTheyAreWritten) {
  constexpr int kAll = PROT_READ | PROT_WRITE | PROT_EXEC;
  ASSERT_GT(map(kAt, 3 * kPageBytes, kAll), 0);
  space_.watch_code(kAt + kPageBytes + 7);
  EXPECT_EQ(announced(), 0u);
  const u64 calls = backend_.calls;
  space_.watch_code(kAt + kPageBytes);
  space_.prepare_write(kAt, 100);
  EXPECT_FALSE(space_.handle_write_fault(kAt + 8));
  EXPECT_EQ(backend_.calls, calls) << "nothing to do for other pages";
  EXPECT_EQ(announced(), 0u);
  const u64 version = space_.code().version();
  EXPECT_TRUE(space_.handle_write_fault(kAt + kPageBytes + 8));
  EXPECT_NE(space_.code().version(), version);
  EXPECT_EQ(announced(), kPageBytes);
  EXPECT_FALSE(space_.handle_write_fault(kAt + kPageBytes + 8));

  space_.watch_code(kAt);
  space_.watch_code(kAt + kPageBytes);
  const u8 bytes[2] = {1, 2};
  EXPECT_TRUE(space_.write(kAt + kPageBytes - 1, bytes));
  EXPECT_EQ(announced(), 2 * kPageBytes);
  EXPECT_EQ(*reinterpret_cast<u8*>(kAt + kPageBytes), 2);
}

TEST_F(Space, ChangesOfTheMapAreAnnouncedWhereCodeWasWatched) {
  constexpr int kCode = PROT_READ | PROT_EXEC;
  ASSERT_GT(map(kAt, 8 * kPageBytes, kCode), 0);
  for (u64 i = 0; i < 8; ++i) space_.watch_code(kAt + i * kPageBytes);
  EXPECT_EQ(space_.mprotect(kAt, kPageBytes, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
  EXPECT_EQ(announced(), 0u) << "still protected on the host";
  EXPECT_TRUE(space_.handle_write_fault(kAt));
  EXPECT_EQ(announced(), kPageBytes);
  EXPECT_EQ(space_.mprotect(kAt + kPageBytes, kPageBytes, PROT_READ), 0);
  EXPECT_EQ(announced(), kPageBytes);
  EXPECT_EQ(space_.munmap(kAt + 2 * kPageBytes, kPageBytes), 0);
  EXPECT_EQ(announced(), kPageBytes);
  ASSERT_GT(map(kAt + 3 * kPageBytes, kPageBytes, kCode), 0);
  EXPECT_EQ(announced(), kPageBytes);
  EXPECT_EQ(space_.madvise(kAt + 4 * kPageBytes, kPageBytes, MADV_DONTNEED), 0);
  EXPECT_EQ(announced(), kPageBytes);
  const u64 moved = kAt + 64 * kPageBytes;
  EXPECT_EQ(space_.mremap(kAt + 5 * kPageBytes, kPageBytes, kPageBytes, MREMAP_MAYMOVE | MREMAP_FIXED, moved),
            static_cast<i64>(moved));
  EXPECT_EQ(announced(), kPageBytes);
  space_.clear();
  EXPECT_EQ(announced(), 2 * kPageBytes);
  ASSERT_GT(map(kAt, kPageBytes), 0);
  EXPECT_EQ(announced(), 0u);
}

TEST_F(Space, AnotherViewOfTheSameBytesIsWatchedToo) {
  const int fd = ::memfd_create("code", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(fd, 4 * kPageBytes), 0);
  const u32 file = space_.add_file({.path = {'c'}, .device_major = 1, .device_minor = 2, .inode = 77});
  const auto view = [&](u64 address, int protection) {
    return space_.mmap({.address = address,
                        .size_bytes = 4 * kPageBytes,
                        .protection = protection,
                        .flags = MAP_SHARED | MAP_FIXED,
                        .fd = fd,
                        .file = file});
  };
  const u64 code = kAt, early = kAt + 16 * kPageBytes, late = kAt + 32 * kPageBytes;
  ASSERT_GT(view(early, kReadWrite), 0);
  ASSERT_GT(view(code, PROT_READ | PROT_EXEC), 0);
  EXPECT_FALSE(space_.has_shared_code());
  space_.watch_code(code + kPageBytes);
  EXPECT_TRUE(space_.has_shared_code());
  ASSERT_GT(view(late, kReadWrite), 0);
  EXPECT_FALSE(space_.handle_write_fault(late));
  EXPECT_TRUE(space_.handle_write_fault(late + kPageBytes));
  EXPECT_EQ(announced(), kPageBytes);
  *reinterpret_cast<volatile u8*>(early + kPageBytes) = 9;  // free again as well
  EXPECT_EQ(*reinterpret_cast<volatile u8*>(code + kPageBytes), 9);
  space_.watch_code(code + kPageBytes);
  space_.prepare_write(early, 4 * kPageBytes);
  EXPECT_EQ(announced(), kPageBytes);
  space_.watch_code(code + kPageBytes);
  space_.file_written(1, 2, 78);
  EXPECT_EQ(announced(), 0u);
  space_.file_written(1, 2, 77);
  EXPECT_EQ(announced(), kPageBytes);
  ::close(fd);
}

/// A host at its limit of VMAs: protections of parts fail.
class FullBackend final : public Backend {
 public:
  explicit FullBackend(u64 whole_bytes) : whole_bytes_(whole_bytes) {}
  i64 map(const MapRequest&) override { return 0; }
  i64 unmap(u64, u64) override { return 0; }
  i64 protect(u64, u64 size_bytes, int protection) override {
    if (size_bytes != whole_bytes_) return -ENOMEM;
    last = protection;
    return 0;
  }
  i64 move(u64, u64, u64, u64) override { return 0; }
  i64 discard(u64, u64) override { return 0; }
  int last = -1;

 private:
  u64 whole_bytes_;
};

TEST(FullHost, TheWholeRegionIsWatchedWherePagesCannotBe) {
  constexpr u64 kBytes = 8 * kPageBytes;
  FullBackend backend(kBytes);
  AddressSpace space(backend);
  ASSERT_GT(space.mmap({.address = kAt,
                        .size_bytes = kBytes,
                        .protection = PROT_READ | PROT_WRITE | PROT_EXEC,
                        .flags = kAnonymous | MAP_FIXED}),
            0);
  space.watch_code(kAt + kPageBytes);
  EXPECT_EQ(backend.last, PROT_READ);
  EXPECT_TRUE(space.handle_write_fault(kAt + 5 * kPageBytes)) << "a page that holds no code";
  EXPECT_EQ(backend.last, kReadWrite);
  const auto changes = space.code().take();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].start, kAt);
  EXPECT_EQ(changes[0].end, kAt + kBytes);
  EXPECT_FALSE(space.handle_write_fault(kAt + kPageBytes));
}

TEST_F(Space, SealedMemoryStaysAsItIs) {
  ASSERT_GT(map(kAt, 4 * kPageBytes, PROT_READ), 0);
  EXPECT_EQ(space_.mseal(kAt + 1, kPageBytes), -EINVAL);
  EXPECT_EQ(space_.mseal(kAt, 5 * kPageBytes), -ENOMEM);
  EXPECT_EQ(space_.mseal(kAt + kPageBytes, kPageBytes), 0);
  EXPECT_EQ(space_.munmap(kAt, 4 * kPageBytes), -EPERM);
  EXPECT_EQ(space_.mprotect(kAt + kPageBytes, kPageBytes, PROT_NONE), -EPERM);
  EXPECT_EQ(space_.mremap(kAt + kPageBytes, kPageBytes, 2 * kPageBytes, MREMAP_MAYMOVE, 0), -EPERM);
  EXPECT_EQ(space_.madvise(kAt, 4 * kPageBytes, MADV_DONTNEED), -EPERM);
  EXPECT_EQ(map(kAt, 4 * kPageBytes), -EPERM);
  EXPECT_EQ(space_.munmap(kAt + 2 * kPageBytes, 2 * kPageBytes), 0);
}

TEST_F(Space, FilesAreNumberedOnce) {
  const MappedFile file{.path = {'a'}, .device_major = 8, .device_minor = 1, .inode = 5};
  const u32 number = space_.add_file(file);
  EXPECT_EQ(space_.add_file(file), number);
  MappedFile other = file;
  other.inode = 6;
  EXPECT_NE(space_.add_file(other), number);
  EXPECT_EQ(space_.files()[number - 1].inode, 5u);
}

TEST(PageSet, RunsAreFoundAndErased) {
  PageSet pages;
  for (const u64 page : {3, 4, 5, 63, 64, 65, 200}) pages.insert(page * kPageBytes);
  std::vector<std::pair<u64, u64>> runs;
  for (auto run = pages.next_run(0, 300 * kPageBytes); !run.empty();
       run = pages.next_run(run.end, 300 * kPageBytes))
    runs.push_back({run.start / kPageBytes, run.end / kPageBytes});
  const std::vector<std::pair<u64, u64>> expected = {{3, 6}, {63, 64}, {64, 66}, {200, 201}};
  EXPECT_EQ(runs, expected);
  EXPECT_TRUE(pages.next_run(6 * kPageBytes, 63 * kPageBytes).empty());
  pages.erase({4 * kPageBytes, 65 * kPageBytes});
  EXPECT_TRUE(pages.contains(3 * kPageBytes));
  EXPECT_FALSE(pages.contains(64 * kPageBytes));
  EXPECT_TRUE(pages.contains(65 * kPageBytes));
}

}  // namespace
}  // namespace orrery::memory
