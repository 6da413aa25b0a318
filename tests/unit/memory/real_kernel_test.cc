#include "real_kernel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace orrery::memory {

namespace {

constexpr u64 kLinesMost = 4096;
constexpr u64 kWordsMost = 4096;

std::string maps_text() {
  const int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  std::string text;
  char buffer[16384];
  for (ssize_t got; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(got));
  ::close(fd);
  return text;
}

bool write_word(u64 address, u64 value) {
  const iovec local{&value, sizeof value}, remote{reinterpret_cast<void*>(address), sizeof value};
  return ::process_vm_writev(::getpid(), &local, 1, &remote, 1, 0) == sizeof value;
}

}  // namespace

struct RealKernel::Shared {
  Request request;
  i64 result;
  u64 count;
  MapLine lines[kLinesMost];
  u64 words[kWordsMost];
};

std::string to_string(const std::vector<MapLine>& lines) {
  std::string text;
  for (const MapLine& line : lines) {
    char row[160];
    std::snprintf(row, sizeof row, "  %" PRIx64 "-%" PRIx64 " %c%c%c%c %" PRIx64 " inode %" PRIu64 "\n",
                  line.start, line.end, line.protection & PROT_READ ? 'r' : '-',
                  line.protection & PROT_WRITE ? 'w' : '-', line.protection & PROT_EXEC ? 'x' : '-',
                  line.shared ? 's' : 'p', line.offset, line.inode);
    text += row;
  }
  return text;
}

std::vector<MapLine> canonical(std::vector<MapLine> lines) {
  std::vector<MapLine> out;
  for (const MapLine& line : lines) {
    if (!out.empty()) {
      MapLine& last = out.back();
      const bool continues = last.inode == 0 || last.offset + (last.end - last.start) == line.offset;
      if (last.end == line.start && last.protection == line.protection && last.shared == line.shared &&
          last.inode == line.inode && continues) {
        last.end = line.end;
        continue;
      }
    }
    out.push_back(line);
  }
  return out;
}

std::vector<MapLine> read_maps(u64 start, u64 end) {
  std::vector<MapLine> lines;
  const std::string text = maps_text();
  for (const char* at = text.c_str(); *at != '\0';) {
    MapLine line;
    char flags[5] = {};
    if (std::sscanf(at, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64, &line.start, &line.end, flags,
                    &line.offset, &line.inode) == 5 &&
        line.start < end && line.end > start) {
      line.protection = (flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) |
                        (flags[2] == 'x' ? PROT_EXEC : 0);
      line.shared = flags[3] == 's';
      if (line.inode == 0) line.offset = 0;
      lines.push_back(line);
    }
    at = std::strchr(at, '\n') + 1;
  }
  return lines;
}

u64 first_word(u64 page) {
  u64 word = 0;
  const iovec local{&word, sizeof word}, remote{reinterpret_cast<void*>(page), sizeof word};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == sizeof word ? word : ~u64{0};
}

RealKernel::RealKernel(u64 arena_start, u64 arena_end, void (*prepare)())
    : arena_start_(arena_start), arena_end_(arena_end) {
  shared_ = static_cast<Shared*>(
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  EXPECT_EQ(::pipe(to_child_), 0);
  EXPECT_EQ(::pipe(to_parent_), 0);
  child_ = ::fork();
  if (child_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    prepare();
    serve();
  }
}

RealKernel::~RealKernel() {
  exchange({.operation = Operation::quit});
  ::waitpid(child_, nullptr, 0);
  ::munmap(shared_, sizeof(Shared));
  for (const int fd : {to_child_[0], to_child_[1], to_parent_[0], to_parent_[1]}) ::close(fd);
}

void RealKernel::serve() {
  for (char go; ::read(to_child_[0], &go, 1) == 1;) {
    const Request& request = shared_->request;
    const u64* const a = request.args;
    switch (request.operation) {
      case Operation::call: {
        const long result = ::syscall(request.number, a[0], a[1], a[2], a[3], a[4], a[5]);
        shared_->result = result == -1 ? -errno : result;
        break;
      }
      case Operation::store:
        shared_->result = write_word(a[0], a[1]);
        break;
      case Operation::maps: {
        const std::vector<MapLine> lines = read_maps(arena_start_, arena_end_);
        shared_->count = std::min<u64>(lines.size(), kLinesMost);
        std::copy_n(lines.begin(), shared_->count, shared_->lines);
        break;
      }
      case Operation::words:
        shared_->count = 0;
        for (u64 page = arena_start_; page < arena_end_ && shared_->count < kWordsMost; page += kPageBytes)
          shared_->words[shared_->count++] = first_word(page);
        break;
      case Operation::quit:
        if (::write(to_parent_[1], "q", 1) == 1) ::_exit(0);
        ::_exit(1);
    }
    if (::write(to_parent_[1], "d", 1) != 1) break;
  }
  ::_exit(1);
}

void RealKernel::exchange(const Request& request) {
  shared_->request = request;
  char done;
  ASSERT_EQ(::write(to_child_[1], "g", 1), 1);
  ASSERT_EQ(::read(to_parent_[0], &done, 1), 1);
}

i64 RealKernel::call(long number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  exchange({.number = number, .args = {a, b, c, d, e, f}});
  return shared_->result;
}

bool RealKernel::store(u64 address, u64 value) {
  exchange({.operation = Operation::store, .args = {address, value}});
  return shared_->result != 0;
}

std::vector<MapLine> RealKernel::maps() {
  exchange({.operation = Operation::maps});
  return {shared_->lines, shared_->lines + shared_->count};
}

std::vector<u64> RealKernel::words() {
  exchange({.operation = Operation::words});
  return {shared_->words, shared_->words + shared_->count};
}

TEST(RealKernel, ReportsWhatTheKernelSays) {
  constexpr u64 kStart = 0x1430'0000'0000, kEnd = kStart + 8 * kPageBytes;
  RealKernel kernel(kStart, kEnd, [] {});
  EXPECT_EQ(kernel.call(SYS_mmap, kStart, kPageBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ~u64{0}, 0),
            static_cast<i64>(kStart));
  EXPECT_TRUE(kernel.store(kStart, 42));
  EXPECT_FALSE(kernel.store(kStart + kPageBytes, 42));
  ASSERT_EQ(kernel.maps().size(), 1u);
  EXPECT_EQ(kernel.maps()[0].protection, PROT_READ | PROT_WRITE);
  EXPECT_EQ(kernel.words()[0], 42u);
  EXPECT_EQ(kernel.words()[1], ~u64{0});
  EXPECT_EQ(kernel.call(SYS_munmap, kStart + 1, kPageBytes), -EINVAL);
}

}  // namespace orrery::memory
