// What the machine must know of the guest's descriptors beyond what the host keeps. Guest and host numbers
// are the same, so the host's table is the guest's; here stands only which numbers are the engine's own
// (and do not exist for the guest) and which are copies of the program's standard output and error, so that
// a replay can show its words. One per guest process.
#pragma once

#include <vector>

#include "base/types.h"

namespace orrery::kernel {

struct Process;

/// What is special about a descriptor. The values of `output` and `error` are HostCall::terminal_stream's.
enum class Role : u8 {
  plain = 0,
  output = 1,           ///< the program's standard output, or a copy of it
  error = 2,            ///< the program's standard error
  own_descriptors = 3,  ///< the directory /proc/self/fd or fdinfo, which lists the engine's too
};

class FdTable {
 public:
  /// Descriptors from `engine_fd_first` on are the engine's; 0 if it has none (tests).
  explicit FdTable(u64 engine_fd_first)
      : engine_fd_first_(engine_fd_first == 0 ? ~u32{0} >> 1 : static_cast<u32>(engine_fd_first)) {}

  /// True if the guest may not know of this number.
  bool is_engine(int fd) const { return fd >= 0 && static_cast<u32>(fd) >= engine_fd_first_; }
  u32 engine_fd_first() const { return engine_fd_first_; }

  Role role(int fd) const {
    return fd >= 0 && static_cast<std::size_t>(fd) < roles_.size() ? roles_[static_cast<std::size_t>(fd)]
                                                                   : Role::plain;
  }
  void set_role(int fd, Role role);
  /// 1 or 2 if what is written there are the program's words, else 0.
  u8 stream(int fd) const {
    const Role kind = role(fd);
    return kind == Role::output || kind == Role::error ? static_cast<u8>(kind) : u8{0};
  }
  void closed(int fd) { set_role(fd, Role::plain); }
  void closed_range(u32 first, u32 last);
  void duplicated(int from, int to) { set_role(to, role(from)); }

 private:
  u32 engine_fd_first_;
  std::vector<Role> roles_{Role::plain, Role::output, Role::error};  ///< by number; missing: none
};

/// Closes every descriptor that has FD_CLOEXEC set, as execve(2) does.
void close_on_exec(Process& process);

}  // namespace orrery::kernel
