// What other processes see of this one in /proc: ps, top, pgrep and pstree, inside the recording and outside,
// read there which programs run. The host's process is the engine; so the host is told where the guest's
// arguments, environment and auxiliary vector lie, and one of the engine's descriptors is the program's file,
// in place of /proc/PID/exe, which only a privileged process may change.
#pragma once

#include <string_view>
#include <vector>

#include "kernel/process.h"

namespace orrery::kernel {

/// After exec: shows the new program. `program_fd` is its file.
void show_program(Process& process, int program_fd);

/// For a path "/proc/PID/exe" of another process of a machine: the path by which its program's file is
/// reached
/// ("/proc/PID/fd/N"), with a NUL, and what it is a link to. False if it is no such path.
bool find_others_program(const Process& process, std::string_view proc_path, std::vector<char>& path,
                         std::vector<char>& target);

}  // namespace orrery::kernel
