// Paths whose meaning differs between the machine and the host: below /proc the host would answer for the
// engine's process as it is, not for the guest as it sees itself.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "kernel/fd_table.h"
#include "kernel/process.h"

namespace orrery::kernel {

inline constexpr int kAtFdCwd = -100;
inline constexpr u64 kPathBytesMost = 4096;  ///< PATH_MAX, with the NUL

/// Cuts "<name>/" off the front; false if it is not there.
bool cut(std::string_view& path, std::string_view name);
/// Cuts the first name off, and the slashes behind it.
std::string_view cut_name(std::string_view& path);
/// -1 unless all of `text` is a decimal number of at most nine digits.
int number_in(std::string_view text);

/// The path made absolute and freed of ".", ".." and doubled slashes, if it leads to /proc or on the way
/// there
/// ("/"), else empty. "/dev/fd" is "/proc/self/fd". `directory_fd` is where a relative path starts.
std::vector<char> proc_path(const Process& process, int directory_fd, std::string_view path);

/// Of such a path the part behind /proc/self, /proc/thread-self, /proc/<pid>, or one of these with
/// task/<tid>, of the process itself or one that lives in the same host process ("exe", "fd/3"; empty for the
/// directory). Nothing if it is not there.
std::optional<std::string_view> own_proc_entry(const Process& process, std::string_view proc_path);

/// The task that such a path is about: the one it names, or the leader. Null if it names none that is here.
Task* task_of_proc_path(Process& process, std::string_view proc_path);

/// The descriptor that such an entry names ("fd/3", "fdinfo/3"). -1 if none.
int fd_named_by_entry(std::string_view entry);

/// The descriptor that a path names: /proc/self/fd/N, /dev/fd/N, /dev/std{in,out,err}. -1 if none.
int fd_named_by_path(const Process& process, int directory_fd, std::string_view path);

/// What the host is to be asked for instead: the guest's program for /proc/self/exe when the call follows the
/// last link, and /proc/self where the guest's own number stands, which need not be the host's (its tasks'
/// numbers never are: the host has one task). False if the path is right as it is. `replacement` gets a NUL.
bool replace_path(const Process& process, int directory_fd, std::string_view path, bool follows,
                  std::vector<char>& replacement);

/// Follows the working directory after chdir(2) and fchdir(2): asks the host.
void refresh_cwd(Process& process);

}  // namespace orrery::kernel
