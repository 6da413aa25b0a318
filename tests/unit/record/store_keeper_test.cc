// Kept copies of mapped files, through the engine's own system calls on a real file system.
#include "record/store_keeper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "host/store_calls.h"

namespace orrery::record {
namespace {

class Words final : public kernel::ReportSink {
 public:
  void line(std::string_view text) override { said += std::string(text) + "\n"; }
  std::string said;
};

class Numbers final : public trace::Family {
 public:
  u32 new_process() override { return 0; }
  u32 new_file() override { return next_file_++; }
  bool join(u32) override { return false; }

 private:
  u32 next_file_ = 0;
};

constexpr int kFdLeast = 500;

class StoreKeeperTest : public testing::Test {
 protected:
  StoreKeeperTest() {
    char name[] = "/tmp/orrery-keeper-XXXXXX";
    folder_ = mkdtemp(name);
    for (const char* part : {"/store", "/files"}) mkdir((folder_ + part).c_str(), 0700);
    store_ = open((folder_ + "/store").c_str(), O_PATH | O_DIRECTORY);
    files_ = open((folder_ + "/files").c_str(), O_PATH | O_DIRECTORY);
  }
  ~StoreKeeperTest() override {
    close(store_);
    close(files_);
    std::filesystem::remove_all(folder_);
  }
  int make_file(const std::string& name, const std::string& content) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << content;
    return open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  static std::string content_of(int fd) {
    char bytes[64] = {};
    const ssize_t got = pread(fd, bytes, sizeof bytes, 0);
    return {bytes, static_cast<std::size_t>(got > 0 ? got : 0)};
  }

  std::string folder_;
  int store_ = -1, files_ = -1;
  host::RawStoreCalls calls_{kFdLeast};
  Words words_;
  Numbers numbers_;
};

TEST_F(StoreKeeperTest, TheCopyDoesNotChangeWithTheFile) {
  StoreKeeper keeper({calls_, store_, files_, numbers_, words_});
  const int fd = make_file("library", "before");
  KeptFile kept;
  ASSERT_EQ(keeper.keep(fd, kept), 0);
  EXPECT_GE(kept.fd, kFdLeast);  // out of the guest's sight
  EXPECT_EQ(kept.path, folder_ + "/library");
  EXPECT_EQ(kept.reference.file_number, 0u);
  EXPECT_EQ(kept.reference.size_bytes, 6u);
  std::ofstream(folder_ + "/library") << "afterwards";
  EXPECT_EQ(content_of(kept.fd), "before");
  close(fd);
}

TEST_F(StoreKeeperTest, OneVersionOfAFileIsKeptOnce) {
  StoreKeeper keeper({calls_, store_, files_, numbers_, words_});
  const int one = make_file("one", "1"), two = make_file("two", "22");
  KeptFile kept;
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(keeper.keep(one, kept), 0);
    EXPECT_EQ(kept.reference.file_number, 0u);
    EXPECT_EQ(content_of(kept.fd), "1");
    ASSERT_EQ(keeper.keep(two, kept), 0);
    EXPECT_EQ(kept.reference.file_number, 1u);
    EXPECT_EQ(content_of(kept.fd), "22");
  }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_ + "/files")) ++files;
  EXPECT_EQ(files, 2u);
  close(one);
  close(two);
}

TEST_F(StoreKeeperTest, ANewVersionIsKeptToo) {
  StoreKeeper keeper({calls_, store_, files_, numbers_, words_});
  const int fd = make_file("changing", "one");
  KeptFile kept;
  ASSERT_EQ(keeper.keep(fd, kept), 0);
  usleep(20'000);  // coarser than ctime
  std::ofstream(folder_ + "/changing") << "two, longer";
  ASSERT_EQ(keeper.keep(fd, kept), 0);
  EXPECT_EQ(kept.reference.file_number, 1u);
  EXPECT_EQ(content_of(kept.fd), "two, longer");
  close(fd);
}

TEST_F(StoreKeeperTest, DescriptorsDoNotPileUp) {
  StoreKeeper keeper({calls_, store_, files_, numbers_, words_});
  std::vector<int> files;
  for (int i = 0; i < 40; ++i) files.push_back(make_file("f" + std::to_string(i), std::to_string(i)));
  KeptFile kept;
  for (int round = 0; round < 2; ++round)
    for (const int fd : files) {
      ASSERT_EQ(keeper.keep(fd, kept), 0);
      EXPECT_LT(kept.fd, kFdLeast + 3);
    }
  for (const int fd : files) close(fd);
}

TEST_F(StoreKeeperTest, WhatIsNoFileIsRefusedOrZero) {
  StoreKeeper keeper({calls_, store_, files_, numbers_, words_});
  KeptFile kept;
  const int zero = open("/dev/zero", O_RDWR | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_EQ(keeper.keep(zero, kept), 0);
  EXPECT_EQ(kept.reference.file_number, trace::kZeroPages);
  EXPECT_EQ(keeper.keep(null, kept), -ENODEV);
  EXPECT_EQ(keeper.keep(-1, kept), -EBADF);
  close(zero);
  close(null);
}

TEST_F(StoreKeeperTest, AStoreThatCannotBeWrittenIsSaidInWords) {
  close(files_);
  files_ = open("/proc", O_PATH | O_DIRECTORY);
  StoreKeeper keeper({calls_, store_, files_, numbers_, words_});
  const int fd = make_file("library", "x");
  KeptFile kept;
  EXPECT_EQ(keeper.keep(fd, kept), -ENOMEM);
  EXPECT_NE(words_.said.find(folder_ + "/library"), std::string::npos) << words_.said;
  close(fd);
}

}  // namespace
}  // namespace orrery::record
