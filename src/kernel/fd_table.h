// What the machine must know of the guest's descriptors beyond what the host keeps. Guest and host numbers
// are the same, so the host's table is the guest's; here stands only which numbers are the engine's own
// (and do not exist for the guest), which are copies of the program's standard output and error, so that
// a replay can show its words, and which are files of /proc that the machine writes. One per guest process.
#pragma once

#include <memory>
#include <vector>

#include "base/types.h"
#include "kernel/proc_file.h"

namespace orrery::kernel {

struct Process;

/// What is special about a descriptor. The values of `output` and `error` are HostCall::terminal_stream's.
enum class Role : u8 {
  plain = 0,
  output = 1,     ///< the program's standard output, or a copy of it
  error = 2,      ///< the program's standard error
  proc_file = 3,  ///< something below /proc that the machine answers for: see proc_file()
};

/// How a descriptor came to the guest.
enum class Origin : u8 {
  machine,    ///< a call of the guest's own opened it
  inherited,  ///< it was there when the machine began
  others,     ///< a message brought it, or it was taken from another process
};

class FdTable {
 public:
  /// The `engine_fd_count` descriptors from `engine_fd_first` on are the engine's; 0: it has none (tests).
  explicit FdTable(u64 engine_fd_first, u64 engine_fd_count = ~u32{0} >> 1)
      : engine_fd_first_(engine_fd_first == 0 ? ~u32{0} >> 1 : static_cast<u32>(engine_fd_first)),
        engine_fd_end_(static_cast<u32>(engine_fd_first_ + engine_fd_count)) {}

  /// True if the guest may not know of this number.
  bool is_engine(int fd) const {
    return fd >= 0 && static_cast<u32>(fd) >= engine_fd_first_ && static_cast<u32>(fd) < engine_fd_end_;
  }
  u32 engine_fd_first() const { return engine_fd_first_; }
  u32 engine_fd_end() const { return engine_fd_end_; }

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
  Origin origin(int fd) const {
    return fd >= 0 && static_cast<std::size_t>(fd) < origins_.size() ? origins_[static_cast<std::size_t>(fd)]
                                                                     : Origin::machine;
  }
  void set_origin(int fd, Origin origin);
  /// The machine begins: what is open now was opened by others.
  void note_inherited() { origins_.assign(kInheritedMost, Origin::inherited); }

  /// The file of /proc behind a descriptor, null if it is none. The pointer is good until the next close.
  ProcFile* proc_file(int fd) { return role(fd) == Role::proc_file ? find_proc_file(fd) : nullptr; }
  const ProcFile* proc_file(int fd) const { return const_cast<FdTable*>(this)->proc_file(fd); }
  void set_proc_file(int fd, ProcFile file);

  void closed(int fd) { set_role(fd, Role::plain); }
  void closed_range(u32 first, u32 last);
  void duplicated(int from, int to);

 private:
  /// Copies of a descriptor share one open file.
  struct Binding {
    int fd;
    ProcFile* file;
  };
  /// Programs are not started with more descriptors than these, or do not map the rest.
  static constexpr std::size_t kInheritedMost = 64;

  ProcFile* find_proc_file(int fd);
  void unbind(int fd);

  u32 engine_fd_first_, engine_fd_end_;
  std::vector<Role> roles_{Role::plain, Role::output, Role::error};  ///< by number; missing: none
  std::vector<Origin> origins_;                                      ///< by number; missing: of the machine
  std::vector<Binding> bindings_;
  std::vector<std::unique_ptr<ProcFile>> proc_files_;
};

/// The numbers of all open descriptors, the engine's not among them.
std::vector<int> open_descriptors(Process& process);
/// The numbers that another process's /proc/PID/fd lists, its engine's among them.
std::vector<int> list_descriptors(Process& process, const char* directory);

/// How long the kernel's own table for these descriptors would be at least (fs/file.c alloc_fdtable):
/// select(2) looks no further.
u32 descriptor_table_size(Process& process);
u32 table_size_for(const std::vector<int>& descriptors);

/// Closes every descriptor that has FD_CLOEXEC set, as execve(2) does.
void close_on_exec(Process& process);

}  // namespace orrery::kernel
