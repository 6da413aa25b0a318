#include "trace/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "events.h"
#include "trace/store_hosted.h"

namespace orrery::trace {
namespace {

/// libc's calls, counted, with some made to fail as other file systems do.
class TestCalls final : public StoreCalls {
 public:
  i64 identify(int fd, FileIdentity& identity) override {
    const i64 result = libc_.identify(fd, identity);
    if (identify_hook != nullptr) identify_hook(*this, fd);
    return result;
  }
  bool dates_stores(int) override { return !in_memory; }
  i64 open_at(int directory, const char* name, int flags, u32 mode) override {
    return libc_.open_at(directory, name, flags, mode);
  }
  i64 close(int fd) override { return libc_.close(fd); }
  i64 link_at(int from_directory, const char* from, int to_directory, const char* to) override {
    return link_error != 0 ? -link_error : libc_.link_at(from_directory, from, to_directory, to);
  }
  i64 rename_at(int directory, const char* from, const char* to) override {
    return libc_.rename_at(directory, from, to);
  }
  i64 unlink_at(int directory, const char* name) override { return libc_.unlink_at(directory, name); }
  i64 clone(int, int) override { return -EOPNOTSUPP; }
  i64 copy_range(int from_fd, u64 from_offset, int to_fd, u64 to_offset, u64 size_bytes) override {
    ++copies;
    if (copy_error != 0) return -copy_error;
    return libc_.copy_range(from_fd, from_offset, to_fd, to_offset, size_bytes);
  }
  i64 read_at(int fd, void* bytes, u64 size_bytes, u64 offset) override {
    return libc_.read_at(fd, bytes, size_bytes, offset);
  }
  i64 write_at(int fd, const void* bytes, u64 size_bytes, u64 offset) override {
    return write_error != 0 ? -write_error : libc_.write_at(fd, bytes, size_bytes, offset);
  }
  i64 seek(int fd, u64 offset, int whence) override {
    return seek_error != 0 ? -seek_error : libc_.seek(fd, offset, whence);
  }
  i64 resize(int fd, u64 size_bytes) override { return libc_.resize(fd, size_bytes); }
  u64 now_ns() override { return libc_.now_ns() + later_ns; }
  u32 process_id() override { return libc_.process_id(); }

  int link_error = 0, copy_error = 0, write_error = 0, seek_error = 0;
  int copies = 0;
  bool in_memory = false;
  u64 later_ns = 3'000'000'000;  ///< no file of the test is young
  void (*identify_hook)(TestCalls&, int) = nullptr;
  int victim = -1;

 private:
  LibcStoreCalls libc_;
};

class Store : public testing::Test {
 protected:
  void SetUp() override {
    mkdir((directory_.path() + "/store").c_str(), 0700);
    mkdir((directory_.path() + "/files").c_str(), 0700);
    store_ = open((directory_.path() + "/store").c_str(), O_PATH | O_DIRECTORY);
    files_ = open((directory_.path() + "/files").c_str(), O_PATH | O_DIRECTORY);
    original_ = make_file("original", std::string(100'000, 'x') + "end");
  }
  void TearDown() override {
    for (const int fd : {store_, files_, original_}) close(fd);
  }

  int make_file(const std::string& name, const std::string& content) {
    const int fd = open((directory_.path() + "/" + name).c_str(), O_RDWR | O_CREAT | O_TRUNC, 0755);
    EXPECT_EQ(write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    return fd;
  }
  i64 keep(int fd, u32 number) {
    FileStore store(calls_, store_, files_);
    return store.keep(fd, number, reference_);
  }
  std::string content_of(i64 fd) {
    std::string content(200'000, 0);
    const ssize_t size = pread(static_cast<int>(fd), content.data(), content.size(), 0);
    content.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    close(static_cast<int>(fd));
    return content;
  }
  struct stat status_of(const std::string& name) {
    struct stat status {};
    EXPECT_EQ(stat((directory_.path() + "/" + name).c_str(), &status), 0) << name;
    return status;
  }
  u64 entries() {
    u64 count = 0;
    const std::string path = directory_.path() + "/store";
    FILE* list = popen(("ls -A '" + path + "' | wc -l").c_str(), "r");
    EXPECT_EQ(fscanf(list, "%lu", &count), 1);
    pclose(list);
    return count;
  }

  TemporaryDirectory directory_;
  TestCalls calls_;
  FileReference reference_;
  int store_ = -1, files_ = -1, original_ = -1;
};

TEST_F(Store, KeepsOnceAndLinks) {
  lseek(original_, 77, SEEK_SET);
  EXPECT_EQ(content_of(keep(original_, 0)), std::string(100'000, 'x') + "end");
  EXPECT_EQ(lseek(original_, 0, SEEK_CUR), 77) << "the guest's position must stay";
  EXPECT_EQ(calls_.copies, 1);
  const i64 second = keep(original_, 1);
  EXPECT_EQ(calls_.copies, 1) << "warm: no copy";
  EXPECT_EQ(fcntl(static_cast<int>(second), F_GETFL) & O_ACCMODE, O_RDONLY);
  close(static_cast<int>(second));
  EXPECT_EQ(status_of("files/0").st_ino, status_of("files/1").st_ino);
  EXPECT_EQ(status_of("files/0").st_nlink, 3u);
  EXPECT_EQ(status_of("files/0").st_mode & 07777, 0400u);
  EXPECT_EQ(entries(), 1u);
  EXPECT_EQ(reference_.file_number, 1u);
  EXPECT_EQ(reference_.size_bytes, 100'003u);
  EXPECT_EQ(reference_.inode, status_of("original").st_ino);
}

TEST_F(Store, AChangedFileIsAnotherEntry) {
  close(static_cast<int>(keep(original_, 0)));
  usleep(20'000);  // a tick of the kernel's clock for ctime
  ASSERT_EQ(pwrite(original_, "Y", 1, 0), 1);
  EXPECT_EQ(content_of(keep(original_, 1))[0], 'Y');
  EXPECT_EQ(content_of(open((directory_.path() + "/files/0").c_str(), O_RDONLY))[0], 'x');
  EXPECT_EQ(entries(), 2u);
}

TEST_F(Store, AYoungFileIsNotShared) {
  calls_.later_ns = 0;
  const int young = make_file("young", "now");
  EXPECT_EQ(content_of(keep(young, 0)), "now");
  EXPECT_EQ(entries(), 0u);
  EXPECT_EQ(status_of("files/0").st_nlink, 1u);
  close(young);
}

TEST_F(Store, AFileInMemoryIsNotShared) {
  calls_.in_memory = true;
  content_of(keep(original_, 0));
  content_of(keep(original_, 1));
  EXPECT_EQ(calls_.copies, 2);
  EXPECT_EQ(entries(), 0u);
  LibcStoreCalls libc;
  const int memory = memfd_create("memory", MFD_CLOEXEC);
  EXPECT_FALSE(libc.dates_stores(memory));
  close(memory);
}

TEST_F(Store, AFileThatChangesDuringTheCopyIsNotShared) {
  calls_.victim = original_;
  calls_.identify_hook = [](TestCalls& calls, int fd) {
    if (fd != calls.victim) return;
    usleep(20'000);
    EXPECT_EQ(write(calls.victim, "more", 4), 4);
  };
  lseek(original_, 0, SEEK_END);
  const i64 kept = keep(original_, 0);
  ASSERT_GE(kept, 0);
  close(static_cast<int>(kept));
  EXPECT_EQ(entries(), 0u);
  EXPECT_EQ(calls_.copies > 1, true) << "it tries again";
  EXPECT_EQ(reference_.size_bytes, static_cast<u64>(status_of("files/0").st_size));
}

TEST_F(Store, AnotherFileSystemGetsItsOwnCopy) {
  calls_.link_error = EXDEV;
  calls_.copy_error = EXDEV;
  EXPECT_EQ(content_of(keep(original_, 0)), std::string(100'000, 'x') + "end");
  EXPECT_EQ(status_of("files/0").st_nlink, 1u);
  EXPECT_EQ(entries(), 0u);
}

/// "first" at 1 MiB and "second" at 40 MiB of 64 MiB.
std::string sparse_content() {
  std::string content(u64{64} << 20, 0);
  content.replace(1 << 20, 5, "first").replace(40 << 20, 6, "second");
  return content;
}

TEST_F(Store, HolesTakeNoSpace) {
  constexpr u64 kBlockBytes = 512;
  const int sparse = make_file("sparse", "");
  ASSERT_EQ(ftruncate(sparse, 64 << 20), 0);
  ASSERT_EQ(pwrite(sparse, "first", 5, 1 << 20), 5);
  ASSERT_EQ(pwrite(sparse, "second", 6, 40 << 20), 6);
  lseek(sparse, 33, SEEK_SET);
  for (const int error : {0, EXDEV}) {  // with copy_file_range, and by hand
    calls_.copy_error = error;
    const u32 number = error == 0 ? 0 : 1;
    calls_.in_memory = true;  // each gets a copy of its own
    const i64 fd = keep(sparse, number);
    ASSERT_GE(fd, 0);
    std::string content(u64{64} << 20, 1);
    EXPECT_EQ(pread(static_cast<int>(fd), content.data(), content.size(), 0), 64 << 20);
    EXPECT_TRUE(content == sparse_content());
    close(static_cast<int>(fd));
    const struct stat kept = status_of("files/" + std::to_string(number));
    EXPECT_EQ(kept.st_size, 64 << 20);
    EXPECT_LE(static_cast<u64>(kept.st_blocks) * kBlockBytes, u64{1} << 20);
    EXPECT_EQ(lseek(sparse, 0, SEEK_CUR), 33) << "the guest's position must stay";
  }
  calls_.seek_error = EINVAL;  // a file system that knows of no holes
  const i64 fd = keep(sparse, 2);
  ASSERT_GE(fd, 0);
  std::string content(u64{64} << 20, 1);
  EXPECT_EQ(pread(static_cast<int>(fd), content.data(), content.size(), 0), 64 << 20);
  EXPECT_TRUE(content == sparse_content());
  close(static_cast<int>(fd));
  close(sparse);
}

TEST_F(Store, AFullDiskLeavesNothingBehind) {
  calls_.copy_error = ENOSPC;
  EXPECT_EQ(keep(original_, 0), -ENOSPC);
  calls_.copy_error = EXDEV;
  calls_.write_error = ENOSPC;
  EXPECT_EQ(keep(original_, 0), -ENOSPC);
  EXPECT_EQ(entries(), 0u);
  EXPECT_NE(access((directory_.path() + "/files/0").c_str(), F_OK), 0);
  calls_.copy_error = calls_.write_error = 0;
  EXPECT_GE(keep(original_, 0), 0);
}

TEST_F(Store, AnEntryEmptiedByAPowerCutIsReplaced) {
  close(static_cast<int>(keep(original_, 0)));
  ASSERT_EQ(truncate((directory_.path() + "/files/0").c_str(), 0), 0);
  EXPECT_EQ(content_of(keep(original_, 1)), std::string(100'000, 'x') + "end");
  EXPECT_EQ(content_of(keep(original_, 2)), std::string(100'000, 'x') + "end");
  EXPECT_EQ(status_of("files/1").st_ino, status_of("files/2").st_ino);
}

TEST_F(Store, DeletedAndAnonymousFilesAreKept) {
  unlink((directory_.path() + "/original").c_str());
  EXPECT_EQ(content_of(keep(original_, 0)).size(), 100'003u);
  const int memory = memfd_create("guest", 0);
  ASSERT_EQ(write(memory, "abc", 3), 3);
  EXPECT_EQ(content_of(keep(memory, 1)), "abc");
  close(memory);
}

TEST_F(Store, OnlyRegularFilesAreKept) {
  const int device = open("/dev/zero", O_RDONLY);
  EXPECT_EQ(keep(device, 0), -EINVAL);
  close(device);
  EXPECT_EQ(keep(-1, 0), -EBADF);
  EXPECT_EQ(content_of(keep(original_, 0)).size(), 100'003u);
  EXPECT_EQ(keep(original_, 0), -EEXIST);
}

TEST_F(Store, AHoleIsKeptAsZeros) {
  const int sparse = make_file("sparse", "a");
  ASSERT_EQ(ftruncate(sparse, 150'000), 0);
  const std::string content = content_of(keep(sparse, 0));
  EXPECT_EQ(content, "a" + std::string(149'999, 0));
  close(sparse);
}

}  // namespace
}  // namespace orrery::trace
