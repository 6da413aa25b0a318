// A file that exec reads: opened, asked and closed through the door, so that a replay sees the same
// file. Its descriptor exists only while exec runs and is not the guest's.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"
#include "kernel/process.h"
#include "memory/address_space.h"

namespace orrery::kernel {

/// A path relative to a directory descriptor (AT_FDCWD: the working directory). `text` ends with a NUL.
struct ExecPath {
  int directory_fd = -100;
  std::vector<char> text;
  bool follow_links = true;

  static ExecPath from(std::string_view path);
  std::string_view view() const { return {text.data(), text.empty() ? 0 : text.size() - 1}; }
};

class ExecFile {
 public:
  ExecFile() = default;
  ExecFile(ExecFile&& other) noexcept { *this = std::move(other); }
  ExecFile& operator=(ExecFile&& other) noexcept;
  ~ExecFile() { close(); }

  /// Opens `path` for execution: 0, or -errno as do_open_execat gives (ENOENT, EACCES for what is no
  /// regular file or lacks the x bit or lies on a noexec mount, ELOOP, ...).
  i64 open(Process& process, const ExecPath& path);

  /// Fills `out` from `offset` on. How many bytes were there, or -errno.
  i64 read(u64 offset, std::span<u8> out) const;

  int fd() const { return fd_; }
  u64 size_bytes() const { return size_bytes_; }
  bool set_user_or_group_id() const { return set_id_; }
  /// Absolute path with links resolved; what /proc/self/exe and /proc/self/maps show.
  std::span<const char> resolved_path() const { return resolved_; }
  memory::MappedFile describe() const;

 private:
  i64 check(const ExecPath& path);
  i64 ask_status();
  void resolve(const ExecPath& path);
  void close();

  Process* process_ = nullptr;
  int fd_ = -1;
  u64 size_bytes_ = 0;
  u64 device_ = 0, inode_ = 0;
  bool set_id_ = false;
  std::vector<char> resolved_;
};

}  // namespace orrery::kernel
