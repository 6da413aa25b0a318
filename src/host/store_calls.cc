#include "host/store_calls.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <sys/vfs.h>

#include "host/raw_syscall.h"

namespace orrery::host {
namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;

u64 nanoseconds(const statx_timestamp& time) {
  return static_cast<u64>(time.tv_sec) * kNsPerSecond + time.tv_nsec;
}

}  // namespace

i64 RawStoreCalls::identify(int fd, trace::FileIdentity& identity) {
  struct statx status = {};
  const i64 result =
      raw_syscall(__NR_statx, fd, "", AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS, &status);
  if (result < 0) return result;
  identity = {.device = u64{status.stx_dev_major} << 32 | status.stx_dev_minor,
              .inode = status.stx_ino,
              .size_bytes = status.stx_size,
              .mtime_ns = nanoseconds(status.stx_mtime),
              .ctime_ns = nanoseconds(status.stx_ctime),
              .mode = status.stx_mode};
  return 0;
}

bool RawStoreCalls::dates_stores(int fd) {
  struct statfs status = {};
  if (raw_syscall(__NR_fstatfs, fd, &status) < 0) return false;
  return status.f_type != TMPFS_MAGIC && status.f_type != RAMFS_MAGIC && status.f_type != HUGETLBFS_MAGIC;
}

i64 RawStoreCalls::open_at(int directory, const char* name, int flags, u32 mode) {
  const i64 fd = raw_syscall(__NR_openat, directory, name, flags | O_CLOEXEC, mode);
  if (fd < 0 || fd >= fd_least_) return fd;
  const i64 hidden = raw_syscall(__NR_fcntl, fd, F_DUPFD_CLOEXEC, fd_least_);
  raw_syscall(__NR_close, fd);
  return hidden;
}

i64 RawStoreCalls::close(int fd) { return raw_syscall(__NR_close, fd); }

i64 RawStoreCalls::link_at(int from_directory, const char* from, int to_directory, const char* to) {
  return raw_syscall(__NR_linkat, from_directory, from, to_directory, to, 0);
}

i64 RawStoreCalls::rename_at(int directory, const char* from, const char* to) {
  return raw_syscall(__NR_renameat, directory, from, directory, to);
}

i64 RawStoreCalls::unlink_at(int directory, const char* name) {
  return raw_syscall(__NR_unlinkat, directory, name, 0);
}

i64 RawStoreCalls::clone(int to_fd, int from_fd) { return raw_syscall(__NR_ioctl, to_fd, FICLONE, from_fd); }

i64 RawStoreCalls::copy_range(int from_fd, u64 from_offset, int to_fd, u64 to_offset, u64 size_bytes) {
  return raw_syscall(__NR_copy_file_range, from_fd, &from_offset, to_fd, &to_offset, size_bytes, 0);
}

i64 RawStoreCalls::read_at(int fd, void* bytes, u64 size_bytes, u64 offset) {
  return raw_syscall(__NR_pread64, fd, bytes, size_bytes, offset);
}

i64 RawStoreCalls::write_at(int fd, const void* bytes, u64 size_bytes, u64 offset) {
  return raw_syscall(__NR_pwrite64, fd, bytes, size_bytes, offset);
}

i64 RawStoreCalls::seek(int fd, u64 offset, int whence) {
  return raw_syscall(__NR_lseek, fd, offset, whence);
}

i64 RawStoreCalls::resize(int fd, u64 size_bytes) { return raw_syscall(__NR_ftruncate, fd, size_bytes); }

u64 RawStoreCalls::now_ns() {
  __kernel_timespec time{};
  constexpr int kClockRealtime = 0;
  raw_syscall(__NR_clock_gettime, kClockRealtime, &time);
  return static_cast<u64>(time.tv_sec) * kNsPerSecond + static_cast<u64>(time.tv_nsec);
}

u32 RawStoreCalls::process_id() { return static_cast<u32>(raw_syscall(__NR_getpid)); }

}  // namespace orrery::host
