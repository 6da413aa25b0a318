// What the machine must know of the guest's descriptors beyond what the host keeps. Guest and host numbers
// are the same, so the host's table is the guest's; here stands only which numbers are the engine's own
// (and do not exist for the guest) and which are copies of the program's standard output and error, so that
// a replay can show its words. One per guest process.
#pragma once

#include <vector>

#include "base/types.h"

namespace orrery::kernel {

struct Process;

/// Whose words a descriptor carries.
enum class Stream : u8 { none = 0, output = 1, error = 2 };

class FdTable {
 public:
  /// Descriptors from `engine_fd_first` on are the engine's; 0 if it has none (tests).
  explicit FdTable(u64 engine_fd_first)
      : engine_fd_first_(engine_fd_first == 0 ? ~u32{0} >> 1 : static_cast<u32>(engine_fd_first)) {}

  /// True if the guest may not know of this number.
  bool is_engine(int fd) const { return fd >= 0 && static_cast<u32>(fd) >= engine_fd_first_; }
  u32 engine_fd_first() const { return engine_fd_first_; }

  Stream stream(int fd) const {
    return fd >= 0 && static_cast<std::size_t>(fd) < streams_.size() ? streams_[static_cast<std::size_t>(fd)]
                                                                     : Stream::none;
  }
  void set_stream(int fd, Stream stream);
  void closed(int fd) { set_stream(fd, Stream::none); }
  void duplicated(int from, int to) { set_stream(to, stream(from)); }

 private:
  u32 engine_fd_first_;
  std::vector<Stream> streams_{Stream::none, Stream::output, Stream::error};  ///< by number; missing: none
};

/// Closes every descriptor that has FD_CLOEXEC set, as execve(2) does.
void close_on_exec(Process& process);

}  // namespace orrery::kernel
