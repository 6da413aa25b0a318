// A file that the guest maps shared and writable must not be written in the recording, and all mappings
// of it must show each other's stores: each gets one scratch copy in a memfd for the whole replay. If several
// processes replay it is the same for all.
#include "replay/kept_directory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/raw_syscall.h"
#include "trace/store.h"

namespace orrery::replay {

using host::raw_syscall;

i64 KeptDirectory::open(u32 file_number, u64 size_bytes, bool writable) {
  for (const Scratch& scratch : scratch_)
    if (scratch.file_number == file_number) return scratch.fd;
  if (file_number == trace::kZeroPages) return -EUCLEAN;  // no file has that number
  if (const int shared = writable && family_ != nullptr ? family_->shared_file(file_number) : -1;
      shared >= 0) {
    scratch_.push_back({file_number, shared});
    return shared;
  }
  if (open_fd_ < 0 || open_number_ != file_number) {
    const trace::StoreName name = trace::file_name(file_number);
    // A FIFO in a stranger's recording must not make us wait.
    const i64 fd =
        raw_syscall(__NR_openat, directory_, name.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) return fd;
    // Behind the end of a shortened file every access would be a SIGBUS that the program never had.
    if (raw_syscall(__NR_lseek, fd, 0, SEEK_END) != static_cast<i64>(size_bytes)) {
      raw_syscall(__NR_close, fd);
      return -EUCLEAN;
    }
    if (open_fd_ >= 0) raw_syscall(__NR_close, open_fd_);
    open_fd_ = static_cast<int>(fd);
    open_number_ = file_number;
  }
  if (!writable) return open_fd_;
  const i64 scratch = make_scratch(open_fd_);
  if (scratch >= 0) scratch_.push_back({file_number, static_cast<int>(scratch)});
  return scratch;
}

void KeptDirectory::close_scratch(u32 file_number) {
  std::erase_if(scratch_, [&](const Scratch& scratch) {
    if (scratch.file_number != file_number) return false;
    raw_syscall(__NR_close, scratch.fd);
    return true;
  });
}

i64 KeptDirectory::make_scratch(int from_fd) {
  const i64 fd = raw_syscall(__NR_memfd_create, "orrery-scratch", MFD_CLOEXEC);
  if (fd < 0) return fd;
  u8 bytes[16384];
  for (u64 done = 0;;) {
    const i64 got = raw_syscall(__NR_pread64, from_fd, bytes, sizeof bytes, done);
    if (got == -EINTR) continue;
    if (got == 0) return fd;
    const i64 put = got < 0 ? got : raw_syscall(__NR_pwrite64, fd, bytes, got, done);
    if (put != got) {
      raw_syscall(__NR_close, fd);
      return put < 0 ? put : -EIO;
    }
    done += static_cast<u64>(got);
  }
}

}  // namespace orrery::replay
