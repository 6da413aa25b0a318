#include "record/store_keeper.h"

#include <errno.h>
#include <fcntl.h>

#include <cstring>
#include <utility>

#include "host/fd_path.h"

namespace orrery::record {
namespace {

std::vector<char> path_of(int fd) {
  std::array<char, 4096> buffer;
  const std::string_view path = host::fd_path(fd, buffer);
  return {path.begin(), path.end()};
}

bool is_zero_device(const std::vector<char>& path) {
  return std::string_view(path.data(), path.size()) == "/dev/zero";
}

bool may_not(i64 result) { return result == -EACCES || result == -EPERM; }

}  // namespace

i64 StoreKeeper::keep(int guest_fd, KeptFile& kept) {
  std::size_t index = 0;
  if (const i64 error = find_or_keep(guest_fd, index); error < 0) return error;
  const Entry& entry = entries_[index];
  const bool is_file = entry.reference.file_number != trace::kZeroPages;
  if (is_file && (open_fd_ < 0 || open_index_ != index)) {
    if (const i64 error = open_again(index, guest_fd); error < 0) return error;
  }
  kept = {.fd = is_file ? open_fd_ : -1,
          .reference = entry.reference,
          .path = {entry.path.data(), entry.path.size()}};
  return 0;
}

void StoreKeeper::forget(const trace::FileReference& file) {
  for (std::size_t index = entries_.size(); index-- > 0;) {
    const trace::FileIdentity& kept = entries_[index].identity;
    if (kept.device != file.device || kept.inode != file.inode) continue;
    if (open_fd_ >= 0 && open_index_ == index) {
      calls_.close(open_fd_);
      open_fd_ = -1;
    }
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
    if (open_index_ > index) --open_index_;
  }
}

/// Newest first: mappings of one file come in a row.
i64 StoreKeeper::find_or_keep(int guest_fd, std::size_t& index) {
  trace::FileIdentity identity;
  if (const i64 error = calls_.identify(guest_fd, identity); error < 0) return error;
  for (index = entries_.size(); index-- > 0;)
    if (entries_[index].identity == identity) return 0;
  index = entries_.size();
  return keep_new(guest_fd, identity);
}

i64 StoreKeeper::keep_new(int guest_fd, const trace::FileIdentity& identity) {
  Entry entry{.identity = identity, .reference = {}, .path = path_of(guest_fd)};
  const u32 number = numbers_.new_file();
  i64 fd = store_.keep(guest_fd, number, entry.reference);
  if (may_not(fd)) fd = have_kept(guest_fd, number, identity, entry.reference);
  if (fd == -EINVAL && is_zero_device(entry.path)) {
    entry.reference.file_number = trace::kZeroPages;
  } else if (fd == -EINVAL) {
    return -ENODEV;  // devices and the like cannot be replayed; the kernel's word for "cannot be mapped"
  } else if (fd < 0) {
    complain(entry.path, fd);
    return -ENOMEM;
  } else {
    set_open(entries_.size(), fd);
  }
  entries_.push_back(std::move(entry));
  return 0;
}

/// The guest has given up the rights with which the recording was begun; the writer still has them.
i64 StoreKeeper::have_kept(int guest_fd, u32 number, const trace::FileIdentity& identity,
                           trace::FileReference& reference) {
  const int fd = numbers_.keep_file(guest_fd, number);
  trace::FileIdentity kept;
  if (fd < 0 || calls_.identify(fd, kept) < 0) return -EACCES;
  reference = {.file_number = number,
               .flags = 0,
               .size_bytes = kept.size_bytes,
               .mtime_ns = identity.mtime_ns,
               .device = identity.device,
               .inode = identity.inode};
  return fd;
}

/// A copy that it made before it gave up its rights it does not get any more: the writer makes another.
i64 StoreKeeper::open_again(std::size_t index, int guest_fd) {
  trace::FileReference& reference = entries_[index].reference;
  const trace::StoreName name = trace::file_name(reference.file_number);
  i64 fd = calls_.open_at(files_directory_, name.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (may_not(fd)) {
    fd = numbers_.keep_file(guest_fd, reference.file_number);
    if (fd < 0) fd = have_kept(guest_fd, numbers_.new_file(), entries_[index].identity, reference);
  }
  if (fd >= 0) set_open(index, fd);
  return fd;
}

void StoreKeeper::set_open(std::size_t index, i64 fd) {
  if (open_fd_ >= 0) calls_.close(open_fd_);
  open_fd_ = static_cast<int>(fd);
  open_index_ = index;
}

void StoreKeeper::complain(const std::vector<char>& path, i64 error) {
  const std::string_view words =
      error == -EMFILE
          ? "cannot keep a copy of a file the program maps: the engine's descriptors are used up: "
          : "cannot keep a copy of a file the program maps (is the disk full?): ";
  std::vector<char> line(words.begin(), words.end());
  line.insert(line.end(), path.begin(), path.end());
  report_.line({line.data(), line.size()});
}

}  // namespace orrery::record
