// A file that the guest maps shared and writable must not be written in the recording, and all mappings
// of it must show each other's stores: each gets one scratch copy in a memfd for the whole replay. If several
// processes replay it is the same for all.
#include "replay/kept_directory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "host/raw_syscall.h"
#include "trace/store.h"

namespace orrery::replay {

using host::raw_syscall;

i64 KeptDirectory::open(u32 file_number, u64 size_bytes, bool writable) {
  for (const Scratch& scratch : scratch_)
    if (scratch.file_number == file_number) return scratch.fd;
  if (file_number == trace::kZeroPages) return -EUCLEAN;  // no file has that number
  if (const i64 error = open_kept(file_number, size_bytes); error < 0) return error;
  if (!writable) return open_fd_;
  const int shared = family_ != nullptr ? family_->shared_file(file_number) : -1;
  const i64 scratch = shared >= 0 ? shared : make_scratch(open_fd_);
  if (scratch >= 0) scratch_.push_back({file_number, static_cast<int>(scratch)});
  return scratch;
}

i64 KeptDirectory::open_kept(u32 file_number, u64 size_bytes) {
  if (open_fd_ < 0 || open_number_ != file_number) {
    const trace::StoreName name = trace::file_name(file_number);
    // A FIFO in a stranger's recording must not make us wait.
    const i64 fd =
        raw_syscall(__NR_openat, directory_, name.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) return fd;
    // Behind the end of a shortened file every access would be a SIGBUS that the program never had.
    const auto kept_bytes = static_cast<u64>(raw_syscall(__NR_lseek, fd, 0, SEEK_END));
    if (size_bytes != kAnySize && kept_bytes != size_bytes) {
      raw_syscall(__NR_close, fd);
      return -EUCLEAN;
    }
    if (open_fd_ >= 0) raw_syscall(__NR_close, open_fd_);
    open_fd_ = static_cast<int>(fd);
    open_number_ = file_number;
  }
  return 0;
}

void KeptDirectory::close_scratch(u32 file_number) {
  std::erase_if(scratch_, [&](const Scratch& scratch) {
    if (scratch.file_number != file_number) return false;
    raw_syscall(__NR_close, scratch.fd);
    return true;
  });
}

/// Holes take no memory: the file may be of gigabytes, of which the program uses a page.
i64 KeptDirectory::make_scratch(int from_fd) {
  const i64 end_of_file = raw_syscall(__NR_lseek, from_fd, 0, SEEK_END);
  if (end_of_file < 0) return end_of_file;
  const auto size_bytes = static_cast<u64>(end_of_file);
  const i64 fd = raw_syscall(__NR_memfd_create, "orrery-scratch", MFD_CLOEXEC);
  if (fd < 0) return fd;
  i64 error = raw_syscall(__NR_ftruncate, fd, size_bytes);
  for (u64 at = 0; at < size_bytes && error == 0;) {
    const i64 data = raw_syscall(__NR_lseek, from_fd, at, SEEK_DATA);
    if (data == -ENXIO) break;  // a hole up to the end
    const i64 hole = data < 0 ? data : raw_syscall(__NR_lseek, from_fd, data, SEEK_HOLE);
    const u64 end = hole < 0 ? size_bytes : std::min(static_cast<u64>(hole), size_bytes);
    error = copy_range(from_fd, static_cast<int>(fd), data < 0 ? at : static_cast<u64>(data), end);
    at = end;
  }
  if (error == 0) return fd;
  raw_syscall(__NR_close, fd);
  return error;
}

i64 KeptDirectory::copy_range(int from_fd, int to_fd, u64 start, u64 end) {
  u8 bytes[16384];
  while (start < end) {
    const i64 got =
        raw_syscall(__NR_pread64, from_fd, bytes, std::min<u64>(sizeof bytes, end - start), start);
    if (got == -EINTR) continue;
    if (got <= 0) return got < 0 ? got : -EIO;
    const i64 put = raw_syscall(__NR_pwrite64, to_fd, bytes, got, start);
    if (put != got) return put < 0 ? put : -EIO;
    start += static_cast<u64>(got);
  }
  return 0;
}

}  // namespace orrery::replay
