#include "host/memory_loan.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "host/raw_syscall.h"
#include "memory/guarded_copy.h"
#include "trace/event.h"

namespace orrery::host {
namespace {

/// What goes through the socket, again and again.
struct SentPage {
  u64 address = 0;
  u8 bytes[kPageBytes];
};

// Entries of /proc/self/pagemap.
constexpr u64 kPresent = u64{1} << 63, kSwapped = u64{1} << 62;
constexpr u64 kFileOrShared = u64{1} << 61, kOneOwner = u64{1} << 56;

bool is_own_copy(u64 entry) {
  if ((entry & kSwapped) != 0) return true;  // whose it is cannot be told; the parent compares
  return (entry & kPresent) != 0 && (entry & kFileOrShared) == 0 && (entry & kOneOwner) != 0;
}

/// `fd`, moved to where the guest does not see it.
int move_up(i64 fd, int fd_least) {
  if (fd < 0) return static_cast<int>(fd);
  const i64 moved = raw_syscall(__NR_fcntl, fd, F_DUPFD_CLOEXEC, fd_least);
  raw_syscall(__NR_close, fd);
  return static_cast<int>(moved);
}

void close_one(int& fd) {
  if (fd >= 0) raw_syscall(__NR_close, fd);
  fd = -1;
}

bool write_all(int fd, const u8* bytes, u64 size_bytes) {
  while (size_bytes > 0) {
    const i64 wrote = raw_syscall(__NR_sendto, fd, bytes, size_bytes, MSG_NOSIGNAL, nullptr, 0);
    if (wrote == -EINTR) continue;
    if (wrote <= 0) return false;
    bytes += wrote;
    size_bytes -= static_cast<u64>(wrote);
  }
  return true;
}

/// False at the end of the stream, also in the midst.
bool read_all(int fd, u8* bytes, u64 size_bytes) {
  while (size_bytes > 0) {
    const i64 got = raw_syscall(__NR_read, fd, bytes, size_bytes);
    if (got == -EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    size_bytes -= static_cast<u64>(got);
  }
  return true;
}

void append(std::vector<u8>& to, const void* bytes, u64 size_bytes) {
  const u8* const from = static_cast<const u8*>(bytes);
  to.insert(to.end(), from, from + size_bytes);
}

/// The runs of bytes in which the page differs from ours; one that is not mapped here has none.
void add_differences(const SentPage& page, std::vector<u8>& changes) {
  constexpr u64 kWord = sizeof(u64);
  std::array<u8, kPageBytes> ours;
  if (memory::guarded_copy(ours.data(), reinterpret_cast<const u8*>(page.address), kPageBytes) != kPageBytes)
    return;
  const auto same = [&](u64 at) { return std::memcmp(page.bytes + at, ours.data() + at, kWord) == 0; };
  for (u64 at = 0; at < kPageBytes;) {
    u64 end = at;
    while (end < kPageBytes && !same(end)) end += kWord;
    if (end != at) {
      const trace::MemoryChange change{page.address + at, end - at};
      append(changes, &change, sizeof change);
      append(changes, page.bytes + at, end - at);
    }
    at = end + kWord;
  }
}

}  // namespace

i64 MemoryLoan::open(int fd_least) {
  i32 ends[2] = {-1, -1};
  const i64 error = raw_syscall(__NR_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
  if (error < 0) return error;
  write_fd_ = move_up(ends[1], fd_least);
  read_fd_ = move_up(ends[0], fd_least);
  if (read_fd_ >= 0 && write_fd_ >= 0) return 0;
  const i64 no_room = std::min(read_fd_, write_fd_);
  close();
  return no_room;
}

void MemoryLoan::close() {
  close_one(read_fd_);
  close_one(write_fd_);
}
void MemoryLoan::keep_lender() { close_one(write_fd_); }
void MemoryLoan::keep_borrower() { close_one(read_fd_); }

bool MemoryLoan::give_back(std::span<const PageRange> ranges, int fd_least) {
  const int pagemap = move_up(raw_syscall(__NR_open, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC), fd_least);
  bool good = pagemap >= 0;
  for (const PageRange& range : ranges) good = good && send_written_pages(pagemap, range);
  if (pagemap >= 0) raw_syscall(__NR_close, pagemap);
  close();
  return good;
}

bool MemoryLoan::send_written_pages(int pagemap, PageRange range) {
  std::array<u64, 512> entries;
  for (u64 at = range.start; at < range.end;) {
    const u64 pages = std::min<u64>(entries.size(), (range.end - at) / kPageBytes);
    const i64 got = raw_syscall(__NR_pread64, pagemap, entries.data(), pages * sizeof(u64),
                                at / kPageBytes * sizeof(u64));
    if (got <= 0) return false;
    const u64 known = static_cast<u64>(got) / sizeof(u64);
    for (u64 i = 0; i < known; ++i)
      if (is_own_copy(entries[i]) && !send_page(at + i * kPageBytes)) return false;
    at += known * kPageBytes;
  }
  return true;
}

bool MemoryLoan::send_page(u64 address) {
  SentPage page;
  page.address = address;
  if (memory::guarded_copy(page.bytes, reinterpret_cast<const u8*>(address), kPageBytes) != kPageBytes)
    return true;  // not to be read: not written either
  return write_all(write_fd_, reinterpret_cast<const u8*>(&page), sizeof page);
}

void MemoryLoan::receive(std::vector<u8>& changes) {
  SentPage page;
  while (read_all(read_fd_, reinterpret_cast<u8*>(&page), sizeof page)) add_differences(page, changes);
  close();
}

}  // namespace orrery::host
