// Paths whose meaning differs between the machine and the host: below /proc the host would answer for the
// engine's process as it is, not for the guest as it sees itself.
#pragma once

#include <string_view>
#include <vector>

#include "base/types.h"
#include "kernel/fd_table.h"
#include "kernel/process.h"

namespace orrery::kernel {

inline constexpr int kAtFdCwd = -100;
inline constexpr u64 kPathBytesMost = 4096;  ///< PATH_MAX, with the NUL

/// The part behind "/proc/self/", "/proc/thread-self/", "/proc/<pid>/" or one of these with
/// "task/<tid>/" of the process itself ("exe", "fd/3"); empty if the path leads elsewhere. The path may be
/// relative: then the working directory counts, if `directory_fd` is AT_FDCWD.
std::string_view own_proc_entry(const Process& process, int directory_fd, std::string_view path,
                                std::vector<char>& storage);

/// The descriptor that a path names: /proc/self/fd/N, /dev/fd/N, /dev/std{in,out,err}. -1 if none.
int fd_named_by_path(const Process& process, int directory_fd, std::string_view path);

/// What the host is to be asked for instead, when it follows the path to its end: the guest's program for
/// /proc/self/exe. False if the path is right as it is. `replacement` gets a NUL.
bool replace_path(const Process& process, int directory_fd, std::string_view path,
                  std::vector<char>& replacement);

/// Follows the working directory after chdir(2) and fchdir(2): asks the host.
void refresh_cwd(Process& process);

}  // namespace orrery::kernel
