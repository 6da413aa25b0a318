// LiveFiles: which bytes each call changed, with the real kernel doing the calls.
#include "record/live_files.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <string>

namespace orrery::record {
namespace {

constexpr int kEngineFdLeast = 600;

class LiveFilesTest : public testing::Test {
 protected:
  LiveFilesTest() : fd_(memfd_create("live", MFD_CLOEXEC)) {
    EXPECT_EQ(pwrite(fd_, "0123456789", 10, 0), 10);
    file_ = files_.add_if_writable(fd_, {.file_number = 3}, "/memfd:live", kEngineFdLeast);
  }
  ~LiveFilesTest() override {
    ::close(file_->fd);
    ::close(fd_);
  }

  /// What the recorder would write down for the call, as "offset+count of size: bytes".
  std::string changes(u32 number, i64 result, std::array<u64, 6> args) {
    host::HostCall call;
    call.number = number;
    call.args = args;
    std::string text;
    files_.for_each_change(call, result, [&](const LiveFile& file, const trace::FileChange& change) {
      EXPECT_EQ(change.file_number, 3u);
      std::string bytes(change.count, '?');
      EXPECT_EQ(pread(file.fd, bytes.data(), change.count, static_cast<off_t>(change.offset)),
                static_cast<ssize_t>(change.count));
      text += std::to_string(change.offset) + "+" + std::to_string(change.count) + " of " +
              std::to_string(change.size_bytes) + ": " + bytes + ";";
    });
    return text;
  }
  u64 fd() const { return static_cast<u64>(fd_); }

  LiveFiles files_;
  int fd_;
  const LiveFile* file_ = nullptr;
};

TEST_F(LiveFilesTest, IsFoundThroughAnyDescriptorOfTheFile) {
  ASSERT_NE(file_, nullptr);
  EXPECT_GE(file_->fd, kEngineFdLeast);
  EXPECT_EQ(file_->reference.flags, trace::kLiveFile);
  const int again = open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), O_RDONLY);
  EXPECT_EQ(files_.find(again), file_);
  const int other = memfd_create("other", 0);
  EXPECT_EQ(files_.find(other), nullptr);
  EXPECT_EQ(files_.find(-1), nullptr);
  EXPECT_EQ(LiveFiles().add_if_writable(again, {}, "", kEngineFdLeast), nullptr);
  ::close(again);
  ::close(other);
}

TEST_F(LiveFilesTest, WritesSayTheirRange) {
  EXPECT_TRUE(files_.may_change(__NR_write));
  EXPECT_FALSE(files_.may_change(__NR_read));
  EXPECT_FALSE(LiveFiles().may_change(__NR_write));
  EXPECT_EQ(lseek(fd_, 4, SEEK_SET), 4);
  EXPECT_EQ(write(fd_, "ab", 2), 2);
  EXPECT_EQ(changes(__NR_write, 2, {fd()}), "4+2 of 10: ab;");
  EXPECT_EQ(pwrite(fd_, "xyz", 3, 20), 3);
  EXPECT_EQ(changes(__NR_pwrite64, 3, {fd(), 0, 3, 20}), "20+3 of 23: xyz;");
  const iovec vector{const_cast<char*>("PQ"), 2};
  EXPECT_EQ(writev(fd_, &vector, 1), 2);
  EXPECT_EQ(changes(__NR_writev, 2, {fd()}), "6+2 of 23: PQ;");
  EXPECT_EQ(changes(__NR_write, -EFAULT, {fd()}), "");
  EXPECT_EQ(changes(__NR_write, 5, {1}), "") << "another file";
}

TEST_F(LiveFilesTest, AppendsGoToTheEnd) {
  const int appends = open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), O_WRONLY | O_APPEND);
  EXPECT_EQ(pwrite(appends, "end", 3, 1), 3);
  EXPECT_EQ(changes(__NR_pwrite64, 3, {static_cast<u64>(appends), 0, 3, 1}), "10+3 of 13: end;");
  EXPECT_EQ(write(appends, "!", 1), 1);
  EXPECT_EQ(changes(__NR_write, 1, {static_cast<u64>(appends)}), "13+1 of 14: !;");
  ::close(appends);
}

TEST_F(LiveFilesTest, SizesAndWholeFiles) {
  EXPECT_EQ(ftruncate(fd_, 4), 0);
  EXPECT_EQ(changes(__NR_ftruncate, 0, {fd(), 4}), "0+0 of 4: ;");
  EXPECT_EQ(ftruncate(fd_, 6), 0);
  EXPECT_EQ(changes(__NR_truncate, 0, {}), "0+0 of 6: ;") << "found by its size";
  EXPECT_EQ(changes(__NR_openat, 5, {}), "");
  EXPECT_EQ(fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2), 0);
  EXPECT_EQ(changes(__NR_fallocate, 0, {fd()}), "0+6 of 6: " +
                                                    std::string("\0\0"
                                                                "23"
                                                                "\0\0",
                                                                6) +
                                                    ";");
}

}  // namespace
}  // namespace orrery::record
