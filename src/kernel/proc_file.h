// An open file or directory of /proc that the machine answers for. The descriptor is a real one of the host's
// file of the same name, so that flags, fstat, poll and errors are the host's; what is read, written and
// sought through it is answered here, from the guest's state. Owned by FdTable; used by the calls that
// read and write (syscalls/read_write.cc).
#pragma once

#include <string_view>
#include <vector>

#include "base/types.h"

namespace orrery::kernel {

struct Task;

enum class ProcKind : u8 {
  directory,    ///< a directory on the way to the process's own files
  descriptors,  ///< /proc/self/fd or fdinfo
  tasks,        ///< /proc/self/task: listed here, since the host knows one task alone
  text,         ///< written anew by proc_self.cc whenever it is read from another place than it was left at
  command,      ///< comm: text that can be written
  memory,       ///< mem: the guest's address space
  page_map,     ///< pagemap: a word a page
};

struct ProcFile {
  ProcKind kind = ProcKind::directory;
  std::vector<char> path;  ///< absolute, as path.h proc_path() gives it
  int flags = 0;           ///< as given to open(2)
  u64 position = 0;
  u64 text_left_at = 0;  ///< where the last read of `text` ended
  std::vector<char> text{};

  /// True if reads, writes and seeks are answered here and not by the host.
  bool is_answered() const { return kind >= ProcKind::tasks; }
  std::string_view name() const { return {path.data(), path.size()}; }
};

/// pread and pwrite with one buffer: bytes moved, or -errno. The descriptor's access mode has been checked.
i64 read_proc_file(Task& task, int fd, ProcFile& file, u64 offset, u64 address, u64 size_bytes);
i64 write_proc_file(Task& task, ProcFile& file, u64 offset, u64 address, u64 size_bytes);

/// getdents64(2), or getdents(2) if `old_layout`, of a directory of tasks.
i64 list_tasks(Task& task, ProcFile& file, u64 address, u64 size_bytes, bool old_layout);

/// lseek(2); changes the position.
i64 seek_proc_file(ProcFile& file, i64 offset, int origin);

}  // namespace orrery::kernel
