// guarded_copy: whole copies of every length, and faults at every byte of source and destination.
#include "memory/guarded_copy.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace orrery::memory {
namespace {

int faults = 0;

void on_fault(int, siginfo_t*, void* context) {
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const u64 resume = guarded_copy_resume(static_cast<u64>(registers[REG_RIP]));
  if (resume == 0) ::_exit(99);
  ++faults;
  registers[REG_RIP] = static_cast<greg_t>(resume);
}

class GuardedCopy : public testing::Test {
 protected:
  void SetUp() override {
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    ASSERT_EQ(::sigaction(SIGSEGV, &action, &old_segv_), 0);
    ASSERT_EQ(::sigaction(SIGBUS, &action, &old_bus_), 0);
    void* const pages =
        ::mmap(nullptr, 2 * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(pages, MAP_FAILED);
    bytes_ = static_cast<u8*>(pages);
    ASSERT_EQ(::mprotect(bytes_ + kPageBytes, kPageBytes, PROT_NONE), 0);
    faults = 0;
  }
  void TearDown() override {
    ::sigaction(SIGSEGV, &old_segv_, nullptr);
    ::sigaction(SIGBUS, &old_bus_, nullptr);
    ::munmap(bytes_, 2 * kPageBytes);
  }

  struct sigaction old_segv_ {
  }, old_bus_{};
  u8* bytes_ = nullptr;  ///< one good page, then one that faults
};

TEST_F(GuardedCopy, WholeCopiesOfEveryLength) {
  u8 from[300], to[300];
  for (int i = 0; i < 300; ++i) from[i] = static_cast<u8>(i * 7 + 1);
  for (u64 length = 0; length <= 299; ++length) {
    std::memset(to, 0, sizeof to);
    EXPECT_EQ(guarded_copy(to, from, length), length);
    EXPECT_EQ(std::memcmp(to, from, length), 0);
    EXPECT_EQ(to[length], 0);
  }
  EXPECT_EQ(faults, 0);
}

TEST_F(GuardedCopy, FaultingSourceGivesThePrefix) {
  u8 to[64];
  for (u64 good = 0; good <= 40; ++good) {
    for (const u64 length : {u64{4}, u64{8}, u64{41}, u64{64}}) {
      if (length <= good) continue;
      std::memset(bytes_ + kPageBytes - 64, 0xa5, 64);
      const u64 copied = guarded_copy(to, bytes_ + kPageBytes - good, length);
      EXPECT_LE(copied, good);
      if (length > 8) {
        EXPECT_EQ(copied, good);
      }
    }
  }
  EXPECT_GT(faults, 0);
}

TEST_F(GuardedCopy, FaultingDestinationGivesThePrefix) {
  u8 from[64];
  std::memset(from, 0x3c, sizeof from);
  for (u64 good = 0; good < 41; ++good) {
    EXPECT_EQ(guarded_copy(bytes_ + kPageBytes - good, from, 41), good);
    for (u64 i = 0; i < good; ++i) EXPECT_EQ(bytes_[kPageBytes - good + i], 0x3c);
  }
}

TEST_F(GuardedCopy, BeyondTheEndOfAFile) {
  const int fd = static_cast<int>(::memfd_create("short", 0));
  ASSERT_EQ(::ftruncate(fd, 2 * kPageBytes), 0);
  void* const map = ::mmap(nullptr, 2 * kPageBytes, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_EQ(::ftruncate(fd, 100), 0);
  std::vector<u8> to(2 * kPageBytes);
  EXPECT_EQ(guarded_copy(to.data(), map, to.size()), kPageBytes);
  EXPECT_EQ(faults, 1);
  ::munmap(map, 2 * kPageBytes);
  ::close(fd);
}

}  // namespace
}  // namespace orrery::memory
