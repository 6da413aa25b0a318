// Which bytes a call changed. Plain writes say it themselves: the count is the result, the offset an argument
// or the descriptor's position, which has just moved behind what was written. Calls that move bytes in other
// ways (fallocate can shift a whole file) are answered with the whole file; they are rare on mapped files. A
// call that goes by path (truncate, O_TRUNC) can only change the size, which is compared.
#include "record/live_files.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "host/fd_path.h"
#include "host/raw_syscall.h"
#include "memory/guarded_copy.h"

namespace orrery::record {
namespace {

using host::raw_syscall;

/// Calls that can change a file, and the argument that is its descriptor; -1: the call goes by a path.
struct Changer {
  u32 number;
  int fd_argument;
};
constexpr Changer kChangers[] = {
    {__NR_write, 0},    {__NR_pwrite64, 0},        {__NR_writev, 0},    {__NR_pwritev, 0},
    {__NR_pwritev2, 0}, {__NR_ftruncate, 0},       {__NR_fallocate, 0}, {__NR_sendfile, 0},
    {__NR_splice, 2},   {__NR_copy_file_range, 2}, {__NR_ioctl, 0},     {__NR_truncate, -1},
    {__NR_open, -1},    {__NR_openat, -1},         {__NR_openat2, -1},  {__NR_creat, -1},
};

const Changer* changer(u32 number) {
  const auto* const found = std::find_if(std::begin(kChangers), std::end(kChangers),
                                         [&](const Changer& row) { return row.number == number; });
  return found == std::end(kChangers) ? nullptr : found;
}

struct Identity {
  u64 device = 0, inode = 0, size_bytes = 0;
};
bool identify(int fd, Identity& identity) {
  struct stat status {};
  if (raw_syscall(__NR_fstat, fd, &status) < 0) return false;
  identity = {status.st_dev, status.st_ino, static_cast<u64>(status.st_size)};
  return true;
}

/// Whether the call opens a file for writing.
bool opens_for_writing(const host::HostCall& call) {
  u64 flags = 0;
  switch (call.number) {
    case __NR_open:
      flags = call.args[1];
      break;
    case __NR_openat:
      flags = call.args[2];
      break;
    case __NR_creat:
      flags = O_WRONLY;
      break;
    case __NR_openat2:
      std::memcpy(&flags, reinterpret_cast<const void*>(call.args[2]), sizeof flags);  // struct open_how
      break;
    default:
      return false;
  }
  return (flags & O_ACCMODE) != O_RDONLY;
}

}  // namespace

void LiveFiles::add_frozen(int guest_fd, std::string_view path) {
  Identity identity;
  if (!identify(guest_fd, identity)) return;
  for (const FrozenFile& file : frozen_)
    if (file.device == identity.device && file.inode == identity.inode) return;
  frozen_.push_back({identity.device, identity.inode, {path.begin(), path.end()}});
}

std::vector<char> LiveFiles::take_thawed(const host::HostCall& call, i64 result) {
  Identity identity;
  if (result < 0 || !opens_for_writing(call)) return {};
  if (!identify(static_cast<int>(result), identity)) return {};
  for (FrozenFile& file : frozen_) {
    if (file.device != identity.device || file.inode != identity.inode) continue;
    std::vector<char> path = std::move(file.path);
    file = std::move(frozen_.back());
    frozen_.pop_back();
    return path;
  }
  return {};
}

bool LiveFiles::changes_files(u32 call_number) { return changer(call_number) != nullptr; }

u64 LiveFiles::size_of(const LiveFile& file) {
  Identity identity;
  return identify(file.fd, identity) ? identity.size_bytes : file.size_bytes;
}

const LiveFile* LiveFiles::find(int guest_fd) const {
  Identity wanted;
  if (files_.empty() || !identify(guest_fd, wanted)) return nullptr;
  for (const LiveFile& file : files_) {
    Identity known;
    if (identify(file.fd, known) && known.device == wanted.device && known.inode == wanted.inode)
      return &file;
  }
  return nullptr;
}

const LiveFile* LiveFiles::add_if_writable(int guest_fd, const trace::FileReference& reference,
                                           std::string_view path, int fd_least) {
  const i64 flags = raw_syscall(__NR_fcntl, guest_fd, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) != O_RDWR) return nullptr;
  return add(guest_fd, reference, path, fd_least);
}

const LiveFile* LiveFiles::add_shared(int guest_fd, const trace::SharedFile& file, int fd_least) {
  std::array<char, 4096> buffer;
  const trace::FileReference reference{.file_number = file.file_number,
                                       .size_bytes = file.size_bytes,
                                       .mtime_ns = file.mtime_ns,
                                       .device = file.device,
                                       .inode = file.inode};
  return add(guest_fd, reference, host::fd_path(guest_fd, buffer), fd_least);
}

const LiveFile* LiveFiles::of_number(u32 file_number) const {
  const auto found = std::find_if(files_.begin(), files_.end(), [&](const LiveFile& file) {
    return file.reference.file_number == file_number;
  });
  return found == files_.end() ? nullptr : &*found;
}

void LiveFiles::forget(u32 file_number) {
  std::erase_if(files_, [&](const LiveFile& file) {
    if (file.reference.file_number != file_number) return false;
    raw_syscall(__NR_close, file.fd);
    return true;
  });
}

void LiveFiles::forget() {
  for (const LiveFile& file : files_) raw_syscall(__NR_close, file.fd);
  files_.clear();
  frozen_.clear();
}

const LiveFile* LiveFiles::add(int guest_fd, const trace::FileReference& reference, std::string_view path,
                               int fd_least) {
  const i64 fd = raw_syscall(__NR_fcntl, guest_fd, F_DUPFD_CLOEXEC, fd_least);
  if (fd < 0) return nullptr;
  files_.push_back({.fd = static_cast<int>(fd), .reference = reference, .path = {path.begin(), path.end()}});
  files_.back().reference.flags |= trace::kLiveFile;
  files_.back().size_bytes = size_of(files_.back());
  return &files_.back();
}

bool LiveFiles::has(u32 file_number) const { return of_number(file_number) != nullptr; }

std::optional<LiveFiles::Place> LiveFiles::place_of_target(u64 number, const std::array<u64, 6>& args) {
  const Changer* const row = changer(static_cast<u32>(number));
  if (row == nullptr) return std::nullopt;
  if (row->fd_argument >= 0)
    return Place{.directory = static_cast<int>(args[static_cast<std::size_t>(row->fd_argument)])};
  const auto shortens = [&](int directory, std::size_t path, u64 flags) -> std::optional<Place> {
    if ((flags & O_TRUNC) == 0) return std::nullopt;
    return Place{.directory = directory, .path = reinterpret_cast<const char*>(args[path])};
  };
  switch (number) {
    case __NR_truncate:
    case __NR_creat:
      return shortens(AT_FDCWD, 0, O_TRUNC);
    case __NR_open:
      return shortens(AT_FDCWD, 0, args[1]);
    case __NR_openat:
      return shortens(static_cast<int>(args[0]), 1, args[2]);
    case __NR_openat2: {
      u64 flags = 0;  // of struct open_how; the program's pointer may be bad
      memory::guarded_copy(&flags, reinterpret_cast<const void*>(args[2]), sizeof flags);
      return shortens(static_cast<int>(args[0]), 1, flags);
    }
    default:
      return std::nullopt;
  }
}

LiveFile* LiveFiles::target_of(const host::HostCall& call) {
  const Changer* const row = changer(call.number);
  if (row == nullptr || row->fd_argument < 0) return nullptr;
  return const_cast<LiveFile*>(find(static_cast<int>(call.args[static_cast<std::size_t>(row->fd_argument)])));
}

/// False if the call did not write bytes.
bool LiveFiles::written_range(const host::HostCall& call, i64 result, u64 size_bytes,
                              trace::FileChange& change) const {
  const int fd = static_cast<int>(call.args[0]);
  change.count = static_cast<u64>(result);
  const auto at_position = [&] {
    const i64 position = raw_syscall(__NR_lseek, fd, 0, SEEK_CUR);
    change.offset = position < result ? 0 : static_cast<u64>(position - result);
  };
  switch (call.number) {
    case __NR_write:
    case __NR_writev:
      at_position();
      break;
    case __NR_pwrite64:
    case __NR_pwritev:
    case __NR_pwritev2:
      // An append ignores the offset (pwrite(2), BUGS); pwritev2 takes the position for -1.
      change.offset = call.args[3];
      if ((raw_syscall(__NR_fcntl, fd, F_GETFL) & O_APPEND) != 0) change.offset = size_bytes - change.count;
      if (call.number == __NR_pwritev2 && call.args[3] == ~u64{0}) at_position();
      break;
    case __NR_ftruncate:
      return false;
    default:
      change.offset = 0;
      change.count = size_bytes;
  }
  return change.count != 0;
}

}  // namespace orrery::record
