#include "trace/store_hosted.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "base/clock_hosted.h"

namespace orrery::trace {
namespace {

i64 result_of(i64 returned) { return returned < 0 ? -errno : returned; }

u64 nanoseconds(const statx_timestamp& time) {
  return static_cast<u64>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

i64 LibcStoreCalls::identify(int fd, FileIdentity& identity) {
  struct statx status {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &status) != 0) return -errno;
  identity = {.device = u64{status.stx_dev_major} << 32 | status.stx_dev_minor,
              .inode = status.stx_ino,
              .size_bytes = status.stx_size,
              .mtime_ns = nanoseconds(status.stx_mtime),
              .ctime_ns = nanoseconds(status.stx_ctime),
              .mode = status.stx_mode};
  return 0;
}

bool LibcStoreCalls::dates_stores(int fd) {
  struct statfs status {};
  if (fstatfs(fd, &status) != 0) return false;
  return status.f_type != TMPFS_MAGIC && status.f_type != RAMFS_MAGIC && status.f_type != HUGETLBFS_MAGIC;
}

i64 LibcStoreCalls::open_at(int directory, const char* name, int flags, u32 mode) {
  return result_of(::openat(directory, name, flags, mode));
}
i64 LibcStoreCalls::close(int fd) { return result_of(::close(fd)); }
i64 LibcStoreCalls::link_at(int from_directory, const char* from, int to_directory, const char* to) {
  return result_of(::linkat(from_directory, from, to_directory, to, 0));
}
i64 LibcStoreCalls::rename_at(int directory, const char* from, const char* to) {
  return result_of(::renameat(directory, from, directory, to));
}
i64 LibcStoreCalls::unlink_at(int directory, const char* name) {
  return result_of(::unlinkat(directory, name, 0));
}
i64 LibcStoreCalls::clone(int to_fd, int from_fd) { return result_of(::ioctl(to_fd, FICLONE, from_fd)); }
i64 LibcStoreCalls::copy_range(int from_fd, u64 from_offset, int to_fd, u64 to_offset, u64 size_bytes) {
  auto from = static_cast<off64_t>(from_offset);
  auto to = static_cast<off64_t>(to_offset);
  return result_of(::copy_file_range(from_fd, &from, to_fd, &to, size_bytes, 0));
}
i64 LibcStoreCalls::read_at(int fd, void* bytes, u64 size_bytes, u64 offset) {
  return result_of(::pread(fd, bytes, size_bytes, static_cast<off_t>(offset)));
}
i64 LibcStoreCalls::write_at(int fd, const void* bytes, u64 size_bytes, u64 offset) {
  return result_of(::pwrite(fd, bytes, size_bytes, static_cast<off_t>(offset)));
}
i64 LibcStoreCalls::seek(int fd, u64 offset, int whence) {
  return result_of(::lseek(fd, static_cast<off_t>(offset), whence));
}
i64 LibcStoreCalls::resize(int fd, u64 size_bytes) {
  return result_of(::ftruncate(fd, static_cast<off_t>(size_bytes)));
}
u64 LibcStoreCalls::now_ns() { return realtime_ns(); }
u32 LibcStoreCalls::process_id() { return static_cast<u32>(getpid()); }

}  // namespace orrery::trace
